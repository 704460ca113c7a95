"""The command ``fastgmm``: ``parser.py`` reads it; ``commands.py``, ``in_blocks.py`` and others do it.

``inputs.py`` is what they read, ``words.py`` how the estimator's complaints become the command's.
"""

from fastgmm.cli.command_line import main

__all__ = ["main"]
