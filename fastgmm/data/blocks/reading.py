"""How a fit reads blocks: what it has found out about all of them decides how every single one is read."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fastgmm.data.blocks.block import Block
from fastgmm.data.labels import allowed_alone, groups_of
from fastgmm.parameters import Array, FloatArray
from fastgmm.rows import Rows


class Read(Protocol):
    """Rows as they were read, with weights and labels (n,) beside them, or None."""

    @property
    def values(self) -> Array: ...

    @property
    def weights(self) -> Array | None: ...

    @property
    def labels(self) -> Array | None: ...


@dataclass(frozen=True, eq=False)
class Reading:
    """Rows of blocks that have been looked at once.

    Attributes
    ----------
    dtype : dtype
        In which kernels compute.
    n_components : int
        How many there are to belong to.
    missing : frozenset of int
        The numbers of blocks in which values are missing.
    power : int
        Weights are read as 2 to this power times what they are.
    origin : ndarray of shape (d,), or None
        All arithmetic is about what is left of values without it.
    is_labelled : bool
        Whether labels say anything.
    """

    dtype: np.dtype[Any]
    n_components: int
    missing: frozenset[int] = frozenset()
    power: int = 0
    origin: FloatArray | None = None
    is_labelled: bool = False

    def __call__(self, block: Block) -> Rows:
        return self.rows(block, block.number in self.missing)

    def rows(self, read: Read, has_missing: bool) -> Rows:
        """Those of a block, or some that were kept."""
        groups = groups_of(read.labels) if self.is_labelled and read.labels is not None else None
        return Rows(
            read.values if read.values.dtype == self.dtype else read.values.astype(self.dtype),
            read.weights if read.weights is None or self.power == 0 else np.ldexp(read.weights, self.power),
            self.origin,
            groups,
            None if groups is None else allowed_alone(self.n_components),
            has_missing,
        )

    @property
    def unit(self) -> float:
        """What weighs 1 as users count weighs so much."""
        return math.ldexp(1.0, self.power)
