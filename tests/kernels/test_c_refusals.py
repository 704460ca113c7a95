"""Arguments of the C module that do not fit: each is refused, never believed."""

from itertools import permutations

import numpy as np
import pytest

from fastgmm.families import FOUR
from fastgmm.kernels import available_backends
from tests.kernels.c_arguments import (
    BOUNDS,
    FAMILY,
    LOG_DENSITY,
    N_CHUNKS,
    OUTPUTS,
    REFUSALS,
    SLOTS,
    SWEEP,
    VALUES,
    Troublesome,
    as_type,
    bounded_sweep_arguments,
    guards_are_whole,
    item_at,
    log_density_arguments,
    misaligned,
    odd_memoryview,
    read_only,
    replaced,
    run,
    swapped,
    sweep_arguments,
    with_another_axis,
    with_gaps,
    without_groups,
    without_last,
)

if available_backends()["c"] != "available":
    pytest.skip(f"the C backend: {available_backends()['c']}", allow_module_level=True)

from fastgmm.kernels.c import _kernels


def constant(item):
    return lambda _: item


WRONG_ARRAYS = {
    "None": constant(None),
    "a list": lambda array: array.tolist(),
    "a number": constant(1.0),
    "int32": as_type("int32"),
    "complex": as_type("complex128"),
    "objects": as_type(object),
    "half precision": as_type("float16"),
    "bytes": lambda array: array.tobytes(),
    "another byte order": swapped,
    "too short": without_last,
    "too narrow": lambda array: array[..., :-1].copy(),
    "an axis too many": with_another_axis,
    "flat": lambda array: array.ravel()[:1].reshape(()),
}
WRONG_PARAMETERS = WRONG_ARRAYS | {
    "not contiguous": with_gaps,
    "at an odd address": misaligned,
    "the other float": as_type("float32"),
}
WRONG_RESULTS = WRONG_PARAMETERS | {"read-only": read_only}
# The paths of arrays, and what must not stand there.
WRONG_IN_A_SWEEP = [
    *(((VALUES,), wrong) for wrong in [*WRONG_ARRAYS, "at an odd address"] if wrong != "too short"),
    *(((SWEEP["weights"],), wrong) for wrong in [*WRONG_ARRAYS, "the other float"] if wrong != "None"),
    *(((SWEEP["origin"],), wrong) for wrong in WRONG_PARAMETERS if wrong != "None"),
    *(((SWEEP["groups"],), wrong) for wrong in WRONG_PARAMETERS if wrong not in ("None", "int32")),
    *(((SWEEP["group_prior"],), wrong) for wrong in WRONG_PARAMETERS if wrong != "too short"),
    *(((SWEEP["prepared"], at), wrong) for at in range(3) for wrong in WRONG_PARAMETERS),
    *(((SLOTS, at), wrong) for at in range(4) for wrong in WRONG_RESULTS),
]


@pytest.mark.parametrize(("path", "wrong"), WRONG_IN_A_SWEEP, ids=str)
def test_a_sweep_refuses_an_array_that_does_not_fit(family, path, wrong):
    arguments = sweep_arguments(family.name)
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(arguments, path, WRONG_RESULTS[wrong](item_at(arguments, path))))
    assert not any(slot.any() for slot in arguments[SLOTS])


@pytest.mark.parametrize("at", [3, 4])
@pytest.mark.parametrize("wrong", WRONG_PARAMETERS)
def test_the_tied_family_refuses_a_pivot_and_whitened_means_that_do_not_fit(at, wrong):
    arguments = sweep_arguments("tied")
    path = (SWEEP["prepared"], at)
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(arguments, path, WRONG_PARAMETERS[wrong](item_at(arguments, path))))


@pytest.mark.parametrize("path", [(VALUES,), (OUTPUTS, 0), (LOG_DENSITY["prepared"], 1)], ids=str)
def test_a_memoryview_at_an_odd_address_is_refused(path):
    arguments = log_density_arguments()
    odd = odd_memoryview(item_at(arguments, path).shape)
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(arguments, path, odd))


def test_tables_without_rows_or_columns_are_refused():
    number, values, *_, prepared, order, section, slots, bounds, counter = sweep_arguments("diag")
    rest = order, section, slots, bounds, counter
    with pytest.raises(ValueError, match="values are no table"):
        _kernels.sweep(number, values[:0], *[None] * 4, prepared, *rest)
    constants, *tables = prepared
    prepared = (constants, *(table[:, :0].copy() for table in tables))
    counts, first, second, totals, extra = slots
    slots = (counts, first[:, :, :0].copy(), second[:, :, :0].copy(), totals, extra)
    with pytest.raises(ValueError, match="values are no table"):
        _kernels.sweep(number, values[:, :0], *[None] * 4, prepared, order, section, slots, bounds, counter)


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("wrong", [name for name in WRONG_RESULTS if name not in ("a list", "half precision")])
def test_log_density_refuses_an_output_that_does_not_fit(family, at, wrong):
    arguments = log_density_arguments(family.name)
    path = (OUTPUTS, at)
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(arguments, path, WRONG_RESULTS[wrong](item_at(arguments, path))))
    assert not any(output.any() for output in arguments[OUTPUTS][:3])


def test_parameters_of_float32_with_factors_of_float64_are_refused(family):
    if family.name == "tied":
        pytest.skip("calculates in float64")
    single, double = (sweep_arguments(family.name, dtype) for dtype in ("float32", "float64"))
    path = (SWEEP["prepared"], 2)
    with pytest.raises(TypeError, match="scales has the format"):
        _kernels.sweep(*replaced(single, path, item_at(double, path)))


UNKNOWN_FAMILIES = [-1, 4, 100, 2**31, 2**32, 2**32 + 1, 2**63, -(2**63) - 1, "1", None, 1.0, (1,)]


@pytest.mark.parametrize("number", UNKNOWN_FAMILIES, ids=str)
def test_an_unknown_family_is_refused(number):
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(sweep_arguments(), (FAMILY,), number))
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(log_density_arguments(), (FAMILY,), number))


def test_the_parameters_of_another_family_are_refused():
    for one, other in permutations(FOUR, 2):
        prepared = sweep_arguments(other)[SWEEP["prepared"]]
        with pytest.raises(ValueError, match=r"prepared parameters of the family|wrong shape"):
            _kernels.sweep(*replaced(sweep_arguments(one), (SWEEP["prepared"],), prepared))


WRONG_SECTIONS = {
    "no chunks": (0, 96, 32, 0, 96),
    "fewer than no chunks": (-3, 96, 32, 0, 96),
    "empty chunks": (3, 0, 32, 0, 0),
    "chunks of fewer than no rows": (3, -96, 32, -96, -96),
    "no tile": (3, 96, 0, 0, 96),
    "less than no tile": (3, 96, -32, 0, 96),
    "half a tile": (3, 96, 16, 0, 96),
    "a crooked tile": (3, 96, 33, 0, 96),
    "a start before the chunk": (3, 96, 32, -32, 96),
    "a stop before the start": (3, 96, 32, 64, 32),
    "a stop beyond the chunk": (3, 96, 32, 0, 97),
    "more rows than there are numbers": (3, 2**62, 32, 0, 96),
    "more rows than there are numbers but for a tile": (1, 2**63 - 1, 32, 0, 2**63 - 1),
    "tiles that no memory holds": (3, 96, 2**50, 0, 96),
    "tiles whose bytes are no number": (3, 96, 2**62, 0, 96),
    "a number too few": (3, 96, 32, 0),
    "a number too many": (3, 96, 32, 0, 96, 0),
    "a fraction": (3, 96, 32, 0, 96.0),
    "a word": (3, 96, 32, "0", 96),
    "a number beyond int64": (3, 2**64, 32, 0, 96),
    "a list": [3, 96, 32, 0, 96],
    "None": None,
}


@pytest.mark.prints  # AddressSanitizer says so where no memory is left
@pytest.mark.parametrize("section", WRONG_SECTIONS)
def test_a_section_that_is_none_is_refused(section):
    section = WRONG_SECTIONS[section]
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(sweep_arguments(), (SWEEP["section"],), section))
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(log_density_arguments(), (LOG_DENSITY["section"],), section))


@pytest.mark.parametrize("n_chunks", [1, 2, 4, 1000])
def test_slots_of_another_number_of_chunks_are_refused(family, n_chunks):
    with pytest.raises(ValueError, match="counts has the wrong shape"):
        _kernels.sweep(*replaced(sweep_arguments(family.name), (SWEEP["section"], 0), n_chunks))


@pytest.mark.parametrize(
    "counter",
    [0, [0], "0", np.zeros(2, np.int64), np.zeros((1, 1), np.int64), np.zeros(1), np.zeros(1, np.int32)],
    ids=repr,
)
def test_a_counter_that_is_none_is_refused(counter):
    for kernel, arguments in ((_kernels.sweep, sweep_arguments()), (_kernels.log_density, log_density_arguments())):
        with pytest.raises(REFUSALS):
            kernel(*arguments[:-1], counter)


@pytest.mark.parametrize("start", [-(2**63), -1, 0, 1, N_CHUNKS - 1, N_CHUNKS, 2**62, 2**63 - 1])
def test_a_worker_takes_the_chunks_from_the_counter_on(start):
    counter, arguments = np.array([start]), sweep_arguments()
    _kernels.sweep(*arguments[:-1], counter)
    slots = arguments[SLOTS]
    assert all(guards_are_whole(slot) for slot in slots)
    assert np.flatnonzero(slots[0].any(axis=1)).tolist() == [chunk for chunk in range(N_CHUNKS) if 0 <= start <= chunk]


def test_workers_that_share_a_counter_take_every_chunk_once():
    together, alone = sweep_arguments(), sweep_arguments()
    _kernels.sweep(*alone)
    counter = np.zeros(1, np.int64)
    for _ in range(4):
        _kernels.sweep(*together[:-1], counter)
    assert all(np.array_equal(*slots) for slots in zip(alone[SLOTS], together[SLOTS], strict=True))


def test_chunks_beyond_the_last_row_take_no_time():
    """Without slots any number of chunks is a section."""
    run(
        """
from contextlib import suppress
from fastgmm.kernels.c import _kernels
from tests.kernels.c_arguments import LOG_DENSITY, REFUSALS, log_density_arguments, replaced
with suppress(*REFUSALS):
    _kernels.log_density(*replaced(log_density_arguments(), (LOG_DENSITY["section"],), (2**57, 32, 32, 0, 32)))
""",
        timeout=30,
    )


WRONG_TUPLES = [lambda items: items[:-1], lambda items: (*items, items[0]), list, constant(()), constant(None)]


@pytest.mark.parametrize("what", ["prepared", "slots"])
@pytest.mark.parametrize("change", WRONG_TUPLES)
def test_a_sweep_refuses_a_tuple_with_another_number_of_items(family, what, change):
    arguments, at = sweep_arguments(family.name), SWEEP[what]
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(arguments, (at,), change(arguments[at])))


@pytest.mark.parametrize("change", WRONG_TUPLES)
def test_log_density_refuses_outputs_with_another_number_of_items(change):
    arguments = log_density_arguments()
    with pytest.raises(REFUSALS):
        _kernels.log_density(*replaced(arguments, (OUTPUTS,), change(arguments[OUTPUTS])))


def test_a_call_with_another_number_of_arguments_is_refused():
    sweep, log_density = sweep_arguments(), log_density_arguments()
    for n in range(14):
        if n != len(sweep):
            with pytest.raises(TypeError, match="twelve arguments"):
                _kernels.sweep(*(sweep * 2)[:n])
        if n != len(log_density):
            with pytest.raises(TypeError, match="nine arguments"):
                _kernels.log_density(*(log_density * 2)[:n])
    with pytest.raises(TypeError):
        _kernels.sweep(*sweep, next=None)


@pytest.mark.parametrize("path", [(OUTPUTS, 0), (OUTPUTS, 3), (LOG_DENSITY["section"], 1)])
def test_an_error_of_an_argument_comes_through(path):
    with pytest.raises(ZeroDivisionError, match="troublesome"):
        _kernels.log_density(*replaced(log_density_arguments(), path, Troublesome()))


def test_an_array_of_flags_is_no_flag():
    with pytest.raises(ValueError, match="ambiguous"):
        _kernels.log_density(*replaced(log_density_arguments(), (OUTPUTS, 3), np.ones(2)))


class Boastful(np.ndarray):
    """Says it is longer than its memory."""

    def __len__(self):
        return 200


@pytest.mark.parametrize("output", range(3))
def test_what_an_array_says_of_its_length_is_not_believed(output):
    arguments = log_density_arguments()
    short = arguments[OUTPUTS][output][:1].copy().view(Boastful)
    assert len(short) == len(arguments[VALUES])
    with pytest.raises(ValueError, match="has the wrong shape"):
        _kernels.log_density(*replaced(arguments, (OUTPUTS, output), short))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("constant", [np.inf, -np.inf, np.nan])
def test_parameters_that_are_no_numbers_are_no_crash(family, dtype, constant):
    """Also under UBSan: what comes out has no meaning."""
    arguments = log_density_arguments(family.name, dtype)
    arguments[LOG_DENSITY["prepared"]][0][:] = constant
    _kernels.log_density(*arguments)


ORDER, DISTANCES, MATTERS, SHRINK, DRIFT, EVALUATED = range(6)
WRONG_IN_BOUNDS = [
    *((at, wrong) for at in (DISTANCES, MATTERS, EVALUATED) for wrong in WRONG_RESULTS),
    *((at, wrong) for at in (ORDER, SHRINK, DRIFT) for wrong in WRONG_PARAMETERS),
]


@pytest.mark.parametrize(("at", "wrong"), WRONG_IN_BOUNDS, ids=str)
def test_a_sweep_refuses_bounds_that_do_not_fit(at, wrong):
    arguments = bounded_sweep_arguments()
    right = (at, wrong) in {(ORDER, "int32"), (DISTANCES, "the other float")}
    if right or (at == MATTERS and wrong in {"at an odd address", "another byte order"}):
        pytest.skip("nothing is wrong with that")
    with pytest.raises(REFUSALS):
        _kernels.sweep(*replaced(arguments, (BOUNDS, at), WRONG_RESULTS[wrong](arguments[BOUNDS][at])))


def test_bounds_do_not_go_with_groups():
    groups = np.zeros(len(sweep_arguments()[VALUES]), np.int32)
    with pytest.raises(ValueError, match="bounds say nothing of rows with groups"):
        _kernels.sweep(*replaced(bounded_sweep_arguments(), (SWEEP["groups"],), groups))


@pytest.mark.parametrize("group", [-1, -(2**31), 3, 2**31 - 1])
def test_of_a_group_outside_the_table_nothing_is_believed(family, group):
    """Whatever lies beside the table; also one without groups is a table."""
    arguments, plain = sweep_arguments(family.name), without_groups(sweep_arguments(family.name))
    arguments[SWEEP["groups"]][:] = group
    empty = replaced(sweep_arguments(family.name), (SWEEP["group_prior"],), arguments[SWEEP["group_prior"]][:0])
    for each in (arguments, plain, empty):
        _kernels.sweep(*each)
    assert all(map(np.array_equal, arguments[SLOTS], plain[SLOTS]))
    assert all(map(np.array_equal, empty[SLOTS], plain[SLOTS]))


def test_bounds_belong_to_whole_tiles():
    for section in ((N_CHUNKS, 100, 32, 0, 96), (N_CHUNKS, 96, 32, 16, 96)):
        with pytest.raises(ValueError, match="whole tiles"):
            _kernels.sweep(*replaced(bounded_sweep_arguments(), (SWEEP["section"],), section))


@pytest.mark.parametrize("position", [-1, -(2**31), 200, 2**31 - 1])
def test_an_order_that_points_elsewhere_is_not_followed(family, position):
    arguments = bounded_sweep_arguments(family.name)
    arguments[BOUNDS][ORDER][3:50:7] = position
    _kernels.sweep(*arguments)
    assert all(guards_are_whole(array) for array in (*arguments[SLOTS], arguments[BOUNDS][DISTANCES]))


def test_bounds_change_the_order_of_sums_and_nothing_else(family):
    plain, bounded = without_groups(sweep_arguments(family.name)), bounded_sweep_arguments(family.name)
    for arguments in (plain, bounded):
        _kernels.sweep(*arguments)
    for true, ours in zip(plain[SLOTS], bounded[SLOTS], strict=True):
        assert np.allclose(ours.sum(axis=0), true.sum(axis=0), rtol=1e-12, atol=1e-12)
    assert (bounded[BOUNDS][EVALUATED] > 0).all()
