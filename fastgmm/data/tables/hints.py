"""How columns without numbers are left out, for messages about text and about what pyarrow reads."""

from collections.abc import Mapping, Sequence

from fastgmm.data.choice import NUMERIC, named
from fastgmm.errors import in_words


def hint_to_leave_out(without_numbers: Mapping[int, str], names: Sequence[str] | None, n_columns: int) -> str:
    """How to read the other columns alone, for the end of a message; nothing where there are none."""
    if len(without_numbers) == n_columns:
        return ""
    if len(without_numbers) == 1:
        return f" (to leave it out: --columns {NUMERIC})"
    listed = in_words(named(without_numbers, names))
    return f" (columns without numbers: {listed}; to leave them out: --columns {NUMERIC})"
