"""The command ``fastgmm``: ``command_line.py`` reads it, ``commands.py`` and ``demo.py`` do it."""

from fastgmm.cli.command_line import main

__all__ = ["main"]
