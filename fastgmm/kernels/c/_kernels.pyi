from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgmm.kernels.chains import Chain, Sequences
from fastgmm.kernels.contract import Bounds, Outputs, Section, Slots
from fastgmm.kernels.incomplete import IncompleteSlots, Order
from fastgmm.kernels.uncertain import UncertainSlots
from fastgmm.parameters import Array, FloatArray, IntArray, Prepared, PreparedIncomplete, PreparedUncertain

INSTRUCTION_SET: str
INSTRUCTION_SETS: list[str]

def sweep(
    family: int,
    values: Array,
    weights: FloatArray | None,
    origin: FloatArray | None,
    groups: NDArray[np.int32] | None,
    group_prior: FloatArray | None,
    prepared: Prepared,
    order: Order | None,
    section: Section,
    slots: Slots,
    bounds: Bounds | None,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def log_density(
    family: int,
    values: Array,
    origin: FloatArray | None,
    groups: NDArray[np.int32] | None,
    group_prior: FloatArray | None,
    prepared: Prepared,
    section: Section,
    outputs: Outputs,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def incomplete_sweep(
    family: int,
    values: Array,
    weights: FloatArray | None,
    origin: FloatArray | None,
    groups: NDArray[np.int32] | None,
    group_prior: FloatArray | None,
    prepared: PreparedIncomplete,
    order: Order,
    section: Section,
    slots: IncompleteSlots,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def incomplete_log_density(
    family: int,
    values: Array,
    origin: FloatArray | None,
    groups: NDArray[np.int32] | None,
    group_prior: FloatArray | None,
    prepared: PreparedIncomplete,
    order: Order,
    section: Section,
    outputs: Outputs,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def linear_sweep(
    rows: tuple[Any, ...],
    prepared: tuple[Any, ...],
    section: Section,
    slots: tuple[Any, ...],
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def linear_log_density(
    rows: tuple[Any, ...],
    prepared: tuple[Any, ...],
    section: Section,
    outputs: Outputs,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def uncertain_sweep(
    errors: Array,
    family: int,
    values: Array,
    weights: FloatArray | None,
    origin: FloatArray | None,
    groups: NDArray[np.int32] | None,
    group_prior: FloatArray | None,
    prepared: PreparedUncertain,
    order: Order | None,
    section: Section,
    slots: UncertainSlots,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def uncertain_log_density(
    errors: Array,
    family: int,
    values: Array,
    origin: FloatArray | None,
    groups: NDArray[np.int32] | None,
    group_prior: FloatArray | None,
    prepared: PreparedUncertain,
    section: Section,
    outputs: Outputs,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def chain_posteriors(
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    log_likelihoods: FloatArray,
    transitions: FloatArray,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
def chain_decode(
    chain: Chain,
    sequences: Sequences,
    joint: FloatArray,
    log_probabilities: FloatArray,
    states: IntArray,
    next: NDArray[np.int64] | None,
    /,
) -> None: ...
