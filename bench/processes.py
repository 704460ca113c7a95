"""Fresh processes to be timed."""

import os
from pathlib import Path

BYTECODE = Path(__file__).parent / "results" / "bytecode"


def environment() -> dict[str, str]:
    """This one's, but with bytecode, as an installation has it, be it forbidden here to write any.

    Without it a process compiles all that it imports, and what is timed is the compiler.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(BYTECODE)}
