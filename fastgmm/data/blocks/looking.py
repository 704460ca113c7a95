"""The one look at all rows of a source before a fit: what is wrong with them, what they are like, and some of them.

What is found of a block is small and can be merged, so that blocks are looked at where they lie.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from fastgmm.data.blocks.block import Block, Blocks
from fastgmm.data.blocks.reading import Reading
from fastgmm.data.blocks.sampled_rows import SampledRows, keys_of, rows_at, together
from fastgmm.data.digest import digest_of
from fastgmm.data.facts import Facts, Summary
from fastgmm.data.labels import first_of_no_component, of_no_component
from fastgmm.data.validation import holds_missing_or
from fastgmm.data.weights import first_of_no_weight, moderating_power
from fastgmm.parameters import Array, FloatArray, IntArray
from fastgmm.rows import Rows

# Of sums of digests.
_MODULUS = 2**256


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of some blocks, which are next to each other.

    Attributes
    ----------
    n_rows, n_observed : int
        All, and those with any value, whatever they weigh.
    n_complete, n_missing : int
        Rows that lack no value, and values that are missing.
    missing : tuple of int
        The numbers of blocks in which values are missing.
    largest_weight : float
        0 where there are no weights.
    summary : Summary
    observed_together : ndarray of shape (d, d)
        How many rows that count have a value of both of two features.
    counts, counts_of_unobserved, unobserved : ndarray of shape (K,)
        Rows that count whose label is each component; those without any value, and their Σw.
    sample, extremes, labelled : SampledRows
        Rows that count: some at random, those that hold the smallest and the largest number of each feature, and some
        of each label.
    digest : int
        The sum, modulo 2²⁵⁶, of a digest of the number, values, weights and labels of each block; 0 where it was not
        asked for.
    """

    n_rows: int
    n_observed: int
    n_complete: int
    n_missing: int
    missing: tuple[int, ...]
    largest_weight: float
    summary: Summary
    observed_together: IntArray
    counts: IntArray
    counts_of_unobserved: IntArray
    unobserved: FloatArray
    sample: SampledRows
    extremes: SampledRows
    labelled: SampledRows
    digest: int


@dataclass(frozen=True)
class Looking:
    """The work of looking at a block: for so many components, with so many rows to be kept, and of each label.

    A digest takes as long as a third to a half of all else, so that ``with_digest`` asks for it.
    It raises ``ValueError``, with the place, for infinity, and for what is no weight and no label.
    """

    n_components: int
    n_sampled: int
    n_of_a_label: int
    columns: tuple[str, ...] | None
    power: int
    with_digest: bool = False

    def __call__(self, block: Block, n_threads: int) -> Seen:
        has_missing = require_numbers(block, self.columns)
        require_labels(block, self.n_components)
        reading = Reading(block.values.dtype, self.n_components, power=self.power)
        rows = reading.rows(block, has_missing)
        facts = Facts(rows)
        are_counted = rows.counted
        counted = np.arange(rows.shape[0]) if are_counted is None else np.flatnonzero(are_counted)
        counts, counts_of_unobserved, unobserved = self._by_label(block, rows, counted)
        return Seen(
            n_rows=rows.shape[0],
            n_observed=int(np.count_nonzero(rows.are_observed)) if has_missing else rows.shape[0],
            n_complete=len(facts.patterns.complete) if has_missing else rows.shape[0],
            n_missing=facts.patterns.n_missing if has_missing else 0,
            missing=(block.number,) if has_missing else (),
            largest_weight=0.0 if block.weights is None else float(block.weights.max(initial=0.0)),
            summary=facts.summary,
            observed_together=facts.observed_together,
            counts=counts,
            counts_of_unobserved=counts_of_unobserved,
            unobserved=unobserved,
            sample=self._sample(block, counted),
            extremes=rows_at(block, facts.extreme_rows if len(counted) else counted),
            labelled=self._labelled(block, counted),
            digest=_digest_of(block) if self.with_digest else 0,
        )

    def _by_label(self, block: Block, rows: Rows, counted: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        nobody, nothing = np.zeros(self.n_components, np.int64), np.zeros(self.n_components)
        if block.labels is None:
            return nobody, nobody, nothing
        named = block.labels >= 0
        counts = self._count(block.labels[counted][named[counted]])
        if not rows.has_missing:
            return counts, nobody, nothing
        weights = np.ones(rows.shape[0]) if rows.weights is None else rows.weights
        empty = np.flatnonzero(named & ~rows.are_observed & (weights > 0))
        totals = np.bincount(block.labels[empty].astype(np.int64), weights[empty], self.n_components)
        return counts, self._count(block.labels[empty]), totals.astype(np.float64)

    def _count(self, labels: Array) -> IntArray:
        return np.bincount(labels.astype(np.int64), minlength=self.n_components).astype(np.int64)

    def _sample(self, block: Block, counted: IntArray) -> SampledRows:
        places = counted
        if len(counted) > self.n_sampled:
            keys = keys_of(block.begin + counted)
            places = np.sort(counted[np.argpartition(keys, self.n_sampled - 1)[: self.n_sampled]])
        return rows_at(block, places)

    def _labelled(self, block: Block, counted: IntArray) -> SampledRows:
        if block.labels is None:
            return rows_at(block, counted[:0])
        return rows_at(block, counted[block.labels[counted] >= 0]).thinned_by_label(self.n_of_a_label)

    def merged(self, one: Seen, other: Seen) -> Seen:
        """What was seen of both."""
        extremes = together([one.extremes, other.extremes])
        return Seen(
            one.n_rows + other.n_rows,
            one.n_observed + other.n_observed,
            one.n_complete + other.n_complete,
            one.n_missing + other.n_missing,
            one.missing + other.missing,
            max(one.largest_weight, other.largest_weight),
            one.summary.merged(other.summary),
            one.observed_together + other.observed_together,
            one.counts + other.counts,
            one.counts_of_unobserved + other.counts_of_unobserved,
            one.unobserved + other.unobserved,
            together([one.sample, other.sample]).thinned(self.n_sampled),
            extremes.take(_extreme_places(extremes)),
            together([one.labelled, other.labelled]).thinned_by_label(self.n_of_a_label)
            if one.labelled.labels is not None
            else one.labelled,
            (one.digest + other.digest) % _MODULUS,
        )


def require_numbers(block: Block, columns: tuple[str, ...] | None) -> bool:
    """Whether values are missing; ``ValueError`` where one is infinite, or what is no weight."""

    def infinite(row: int, feature: int) -> ValueError:
        name = "" if columns is None else f" ({columns[feature]!r})"
        return ValueError(
            f"{block.where(row)}: infinity or a value too large for {block.values.dtype} in column {feature}{name} "
            "(counted from 0)"
        )

    if block.weights is not None:
        row = first_of_no_weight(block.weights)
        if row is not None:
            raise ValueError(f"{block.where(row)}: the weight is {block.weights[row]}, negative or not finite")
    return holds_missing_or(infinite, block.values)


def require_labels(block: Block, n_components: int) -> None:
    """``ValueError`` for what is neither a component number nor -1 nor missing."""
    if block.labels is None:
        return
    row = first_of_no_component(block.labels, n_components)
    if row is not None:
        raise ValueError(f"{block.where(row)}: the label {of_no_component(float(block.labels[row]), n_components)}")


def _digest_of(block: Block) -> int:
    """With its number, so that digests may be added up in any order."""
    number = np.array([block.number], np.int64)
    return int.from_bytes(digest_of(number, block.values, block.weights, block.labels), "little")


def _extreme_places(kept: SampledRows) -> IntArray:
    if not len(kept.values):
        return np.empty(0, np.int64)
    return Facts(Rows(kept.values, has_missing=bool(np.isnan(kept.values).any()))).extreme_rows.astype(np.int64)


def look(
    blocks: Blocks,
    n_components: int,
    n_sampled: int,
    n_of_a_label: int,
    n_threads: int | None,
    with_digest: bool = False,
) -> tuple[Seen, int]:
    """What one pass over all rows sees, and the power of two by which weights are read.

    Weights far from 1 take another pass, in a moderate unit.
    """
    looking = Looking(n_components, n_sampled, n_of_a_label, blocks.form.columns, 0, with_digest)
    seen = _seen(blocks, looking, n_threads)
    power = moderating_power(seen.largest_weight) if seen.largest_weight > 0 else 0
    return (_seen(blocks, replace(looking, power=power), n_threads) if power else seen), power


def _seen(blocks: Blocks, looking: Looking, n_threads: int | None) -> Seen:
    with np.errstate(over="ignore", invalid="ignore"), closing(blocks.map(looking, n_threads)) as found:
        parts = iter(found)
        first = next(parts, None)
        if first is None:
            raise ValueError(f"{blocks.form.name}: no rows")
        return reduce(looking.merged, parts, first)
