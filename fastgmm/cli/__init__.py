"""The command ``fastgmm``: ``command_line.py`` reads it; ``commands.py``, ``moments.py`` and ``demo.py`` do it.

``inputs.py`` is what they read, ``words.py`` how the estimator's complaints become the command's.
"""

from fastgmm.cli.command_line import main

__all__ = ["main"]
