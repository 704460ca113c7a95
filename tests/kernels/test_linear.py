"""Kernels of log-densities that are linear in the data: one meaning, in three backends, for every form of rows."""

import dataclasses

import numpy as np
import pytest

from fastgmm.entries import Entries
from fastgmm.kernels.linear import LinearSlots, linear_kernels, no_outputs, plan_of_entries
from fastgmm.parameters import PreparedLinear
from tests.conftest import BACKENDS

SHAPES = [(700, 20, 3), (1100, 30, 17), (600, 5, 1), (300, 40, 70), (1, 3, 2)]


def problem(shape, with_missing, rng):
    """Rows in all their forms, and a model."""
    n_rows, n_features, n_components = shape
    values = rng.poisson(3.0, (n_rows, n_features)) * (rng.uniform(size=(n_rows, n_features)) < 0.3) * 1.0
    if with_missing:
        values[rng.uniform(size=values.shape) < 0.1] = np.nan
    weights = rng.uniform(size=n_rows)
    weights[1::7] = 0.0
    with np.errstate(divide="ignore"):
        prior = np.log(rng.uniform(size=(3, n_components)) * (rng.uniform(size=(3, n_components)) < 0.7))
    prior[:, -1] = 0.0
    groups = rng.integers(-1, 4, n_rows).astype(np.int32)
    own = {"has_missing": with_missing, "weights": weights, "groups": groups, "group_prior": prior}
    is_entry = values != 0
    starts = np.concatenate([[0], np.cumsum(is_entry.sum(axis=1))]).astype(np.int64)
    lines = np.nonzero(is_entry)[1].astype(np.int32)
    forms = {
        "float64": Entries(n_rows, n_features, values, **own),
        "float32": Entries(n_rows, n_features, values.astype(np.float32), **own),
        "sparse": Entries(n_rows, n_features, values[is_entry], starts, lines, **own),
        "sparse float32": Entries(n_rows, n_features, values[is_entry].astype(np.float32), starts, lines, **own),
    }
    if not with_missing:
        forms["uint8"] = Entries(n_rows, n_features, values.astype(np.uint8), **own)
    loadings = np.zeros((forms["float64"].n_lines, -(-n_components // 8) * 8))
    loadings[:, :n_components] = rng.normal(size=(len(loadings), n_components))
    return forms, PreparedLinear(rng.normal(size=n_components), loadings)


def sums(rows, prepared, backend, n_threads=1):
    n_components, step = len(prepared.log_constants), prepared.loadings.shape[1]
    plan = plan_of_entries(rows, n_components)
    shapes = (plan.n_chunks, step), (plan.n_chunks, rows.n_lines, step), (plan.n_chunks, 2)
    slots = LinearSlots(*map(np.zeros, shapes))
    for section in plan.sections(n_threads):
        linear_kernels(backend).sweep(rows, prepared, section, slots, n_threads)
    return [slot.sum(axis=0) for slot in slots]


def outputs(rows, prepared, backend, normalize):
    n_components = len(prepared.log_constants)
    plan = plan_of_entries(rows, n_components)
    found = no_outputs()._replace(
        log_density=np.empty(rows.n_rows),
        labels=np.empty(rows.n_rows, np.int64),
        joint=np.empty((rows.n_rows, n_components)),
        normalize=normalize,
    )
    for section in plan.sections(1):
        linear_kernels(backend).log_density(rows, prepared, section, found, 1)
    return found


def by_the_formula(rows, prepared):
    """Of dense rows of float64, by one matrix product."""
    x, n_components = rows.values, len(prepared.log_constants)
    is_missing = np.isnan(x)
    table = np.hstack([np.where(is_missing, 0.0, x), is_missing]) if rows.has_missing else x
    joint = prepared.log_constants + table @ prepared.loadings[:, :n_components]
    known = (rows.groups >= 0) & (rows.groups < 3)
    joint[known] += rows.group_prior[rows.groups[known]]
    log_density = np.logaddexp.reduce(joint, axis=1)
    wr = rows.weights[:, np.newaxis] * np.exp(joint - log_density[:, np.newaxis])
    return joint, log_density, wr.sum(axis=0), table.T @ wr, rows.weights @ log_density


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("with_missing", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_form_of_rows_has_the_sums_and_densities_of_the_formula(shape, with_missing, backend):
    forms, prepared = problem(shape, with_missing, np.random.default_rng(0))
    joint, log_density, counts, first, likelihood = by_the_formula(forms["float64"], prepared)
    n_components = shape[2]
    for rows in forms.values():
        found = sums(rows, prepared, backend)
        np.testing.assert_allclose(found[0][:n_components], counts, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(found[1][:, :n_components], first, rtol=1e-10, atol=1e-9)
        np.testing.assert_allclose(found[2], [rows.weights.sum(), likelihood], rtol=1e-12)
        assert not found[0][n_components:].any()
        told = outputs(rows, prepared, backend, normalize=False)
        np.testing.assert_allclose(told.log_density, log_density, rtol=1e-12, atol=1e-12)
        assert (told.labels == joint.argmax(axis=1)).all()
        is_allowed = joint > -np.inf
        np.testing.assert_allclose(told.joint[is_allowed], joint[is_allowed], rtol=1e-12, atol=1e-12)
        assert np.isfinite(told.joint).all()
        shares = outputs(rows, prepared, backend, normalize=True).joint
        np.testing.assert_allclose(shares, np.exp(joint - log_density[:, np.newaxis]), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_and_sections_change_no_bit(backend):
    forms, prepared = problem(SHAPES[1], True, np.random.default_rng(1))
    for rows in (forms["float64"], forms["sparse"]):
        expected = sums(rows, prepared, backend)
        for n_threads in (2, 3, 64):
            assert all((a == b).all() for a, b in zip(sums(rows, prepared, backend, n_threads), expected, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_has_the_same_bits_among_any_others(backend):
    forms, prepared = problem(SHAPES[0], False, np.random.default_rng(2))
    rows = forms["float64"]
    full = dataclasses.replace(rows, values=rows.values + 1.0)  # where C computes several rows together
    for some in (rows, full, dataclasses.replace(full, values=full.values.astype(np.uint8))):
        alone = outputs(some.part(slice(5, 6)), prepared, backend, normalize=True)
        among = outputs(some, prepared, backend, normalize=True)
        assert alone.log_density[0] == among.log_density[5]
        assert (alone.joint[0] == among.joint[5]).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("with_missing", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_without_zeros_have_the_sums_of_the_formula(shape, with_missing, backend):
    forms, prepared = problem(shape, with_missing, np.random.default_rng(4))
    rows = dataclasses.replace(forms["float64"], values=forms["float64"].values + 0.5)
    prepared = prepared._replace(loadings=0.05 * prepared.loadings)  # components that are not far apart
    _, _, counts, first, _ = by_the_formula(rows, prepared)
    found = sums(rows, prepared, backend)
    np.testing.assert_allclose(found[0][: shape[2]], counts, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(found[1][:, : shape[2]], first, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_impossible_is_no_nan(backend):
    rows = Entries(2, 1, np.array([[0.0], [1e9]]))
    loadings = np.zeros((1, 8))
    loadings[0, :2] = -1e300
    prepared = PreparedLinear(np.zeros(2), loadings)
    with np.errstate(over="ignore"):  # of Numba's kernels on NumPy, where they are not compiled
        found = outputs(rows, prepared, backend, normalize=True)
    assert found.log_density.tolist() == [pytest.approx(np.log(2.0)), -np.inf]
    assert (found.joint == 0.5).all()


def test_neighboring_rows_and_any_rows_are_those_of_the_table():
    forms, _ = problem(SHAPES[0], False, np.random.default_rng(3))
    places = np.array([7, 3, 3, 699])
    for rows in forms.values():
        table = forms["float64"].values
        assert (rows.part(slice(5, 90)).dense() == table[5:90]).all()
        assert (rows.take(places).dense() == table[places]).all()
        assert (rows.take(places).weights == rows.weights[places]).all()


@pytest.mark.skipif("c" not in BACKENDS, reason="needs the C kernels")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.zeros((3, 2), np.int16)}, "format"),
        ({"values": np.zeros((2, 2))}, "wrong shape"),
        ({"weights": np.zeros(2)}, "wrong shape"),
        ({"starts": np.zeros(3, np.int64), "lines": np.zeros(0, np.int32), "values": np.zeros(0)}, "wrong shape"),
        ({"groups": np.zeros(3, np.int32), "group_prior": np.zeros((1, 5))}, "wrong shape"),
        ({"has_missing": True}, "line of loadings"),
    ],
)
def test_c_refuses_arrays_that_do_not_fit_together(change, message):
    rows = dataclasses.replace(Entries(3, 2, np.zeros((3, 2))), **change)
    prepared = PreparedLinear(np.zeros(1), np.zeros((2, 8)))
    slots = LinearSlots(np.zeros((1, 8)), np.zeros((1, rows.n_lines, 8)), np.zeros((1, 2)))
    section = next(iter(plan_of_entries(rows, 1).sections(1)))
    with pytest.raises((TypeError, ValueError), match=message):
        linear_kernels("c").sweep(rows, prepared, section, slots, 1)


@pytest.mark.skipif("c" not in BACKENDS, reason="needs the C kernels")
def test_c_reads_nothing_beyond_its_arrays_whatever_a_sparse_row_says():
    starts, lines = np.array([-5, 9, 2, 1000], np.int64), np.array([0, 7, -1], np.int32)
    rows = Entries(3, 2, np.ones(3), starts, lines)
    prepared = PreparedLinear(np.zeros(1), np.zeros((2, 8)))
    assert np.isfinite(outputs(rows, prepared, "c", normalize=True).joint).all()
