"""What a fit knows of rows in blocks before it begins, from one pass over them."""

from dataclasses import dataclass, replace

from fastgmm.data.blocks.block import Blocks
from fastgmm.data.blocks.looking import Seen, look
from fastgmm.data.blocks.reading import Reading
from fastgmm.data.blocks.sampled_rows import together
from fastgmm.data.facts import Facts
from fastgmm.data.labels import require_allowed
from fastgmm.data.origin import counted_from_origin
from fastgmm.data.single_precision import with_room_for_squares
from fastgmm.data.validation import (
    require_columns_observed,
    require_informative,
    require_rows,
    require_rows_for_components,
)
from fastgmm.data.weights import require_some_weight
from fastgmm.rows import Rows


@dataclass(frozen=True, eq=False)
class Overview:
    """Facts about all rows, those that starts look at, and how blocks are read.

    ``facts.rows`` are some of the rows, drawn at random. To these ``for_starts`` adds rows that hold extreme numbers,
    and labelled ones.
    """

    facts: Facts
    for_starts: Rows
    reading: Reading


def overview_of(
    blocks: Blocks,
    n_components: int,
    n_sampled: int,
    n_of_a_label: int,
    n_threads: int | None,
    with_digest: bool = False,
) -> Overview:
    """The overview of all rows; raises ``ValueError`` where they cannot be fitted by so many components.

    The facts have a digest where it is asked for.
    """
    seen, power = look(blocks, n_components, n_sampled, n_of_a_label, n_threads, with_digest)
    _require_enough(blocks, seen, n_components)
    is_labelled = bool((seen.counts + seen.counts_of_unobserved).any())
    if is_labelled and seen.counts.sum() == seen.summary.n_rows:
        require_allowed(seen.counts > 0)
    reading = Reading(blocks.form.dtype, n_components, frozenset(seen.missing), power, None, is_labelled)
    has_missing = bool(seen.missing)
    facts = Facts.of_all(
        reading.rows(seen.sample, has_missing),
        n_rows=seen.n_rows,
        n_counted=seen.summary.n_rows,
        total_weight=seen.summary.total_weight,
        n_missing=seen.n_missing,
        n_complete=seen.n_complete,
        observed_together=seen.observed_together,
        counts_of_groups=seen.counts + seen.counts_of_unobserved,
        weights_of_unobserved=seen.unobserved,
        summary=seen.summary,
        ranges=(seen.summary.lowest, seen.summary.highest),
        digest=seen.digest.to_bytes(32, "little"),
    )
    facts = counted_from_origin(with_room_for_squares(facts))
    reading = replace(reading, dtype=facts.rows.values.dtype, origin=facts.rows.origin)
    for_starts = reading.rows(together([seen.sample, seen.extremes, seen.labelled]), has_missing)
    return Overview(facts, for_starts, reading)


def _require_enough(blocks: Blocks, seen: Seen, n_components: int) -> None:
    require_rows(seen.n_rows, blocks.form.name)
    if blocks.form.has_weights:
        require_some_weight(seen.largest_weight > 0, blocks.form.name)
    if seen.missing:
        require_informative(seen.n_observed)
        require_columns_observed(seen.summary.weights > 0, blocks.form.columns)
    require_rows_for_components(seen.summary.n_rows, n_components)
