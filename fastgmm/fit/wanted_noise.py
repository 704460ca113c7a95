"""The noise that options want, of the rows at hand."""

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.families.noise import Noise, noise_in
from fastgmm.fit.options import Options


def noise_of(options: Options, facts: Facts) -> Noise | None:
    """None where none is wanted; ``ValueError`` where there is no such noise."""
    if options.noise is None:
        return None
    rows = facts.rows
    said = {"missing values": rows.has_missing, "labels": rows.groups is not None, "errors": rows.errors is not None}
    refused = [name for name, is_said in said.items() if is_said]
    if refused:
        raise ValueError(f"noise={options.noise!r} does not go with {refused[0]}.")
    if not isinstance(options.noise, str):
        return Noise(float(np.log(options.noise)))
    box = np.stack(facts.ranges)
    if not (box[0] < box[1]).all():
        constant = int(np.argmin(box[0] < box[1]))
        raise ValueError(f"noise='box' needs features that vary, and feature {constant} is constant: leave it out.")
    return noise_in(box)
