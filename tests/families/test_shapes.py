"""mclust's fourteen models: the M-step of each is the best of its own, and no step of it makes anything worse."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

from fastgmm.families import FAMILIES, FOUR, FOURTEEN
from fastgmm.families.axes import _pairs

CONSTRAINED = tuple(name for name in FOURTEEN if FAMILIES[name].constrain is not None)
WITH_MATRICES = tuple(name for name in CONSTRAINED if FAMILIES[name].has_matrices)
SIZES = [(2, 2), (3, 2), (2, 3)]
# Some models within others; each is at most as likely.
NESTED = [
    *("EII VII", "EII EEI", "EEI VEI", "EEI EVI", "VII VEI", "VEI VVI", "EVI VVI", "EEI EEE", "VEI VEE", "EEE VEE"),
    *("EEE EVE", "EVE VVE", "VEE VVE", "VVI VVE", "EEE EEV", "EEV VEV", "VEE VEV", "EVE EVV", "EEV EVV", "VEV VVV"),
    *("EVV VVV", "VVE VVV", "EVI EVE"),
]


def draw(seed: int, n_components: int, n_features: int):
    """Covariances (K, d, d) and counts (K,)."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_components, n_features, n_features + 3)) * rng.uniform(0.3, 3.0, (n_components, 1, 1))
    return factors @ np.swapaxes(factors, 1, 2) / n_features, rng.uniform(10.0, 100.0, n_components)


def as_kernel_has_them(name, matrices, counts):
    """What the M-step of the family's kernel finds of rows with these covariances."""
    kernel, variances = FAMILIES[name].kernel, np.diagonal(matrices, axis1=1, axis2=2)
    if kernel == "tied":
        return np.tensordot(counts / counts.sum(), matrices, 1)
    return {"full": matrices, "diag": variances, "spherical": variances.mean(axis=1)}[kernel]


def fitted(name, matrices, counts, before=None):
    """The matrices of the M-step, and its covariances in the family's shape."""
    family = FAMILIES[name]
    covariances = family.constrained(as_kernel_has_them(name, matrices, counts), counts, before)
    return family.matrices(covariances, *matrices.shape[:2]), covariances


def loss(found, matrices, counts):
    """Σₖ nₖ(log|Σₖ| + tr(Σₖ⁻¹Sₖ))/n."""
    traces = np.trace(np.linalg.solve(found, matrices), axis1=1, axis2=2)
    return counts @ (np.linalg.slogdet(found)[1] + traces) / counts.sum()


# --- the naive way: numbers that are free, and a minimizer that knows nothing of them --------------------------------


def explicit(name, numbers, n_components, n_features):
    """Matrices λDADᵀ of free numbers: log λ, log A which sum to 0, and D = exp of a skew-symmetric matrix."""
    numbers, volumes, shapes, axes = list(numbers), [], [], []
    for k in range(n_components):
        volume, shape, axis = name
        if k and volume == "E":
            volumes.append(volumes[0])
        else:
            volumes.append(np.exp(numbers.pop()))
        if shape == "I":
            shapes.append(np.ones(n_features))
        elif k and shape == "E":
            shapes.append(shapes[0])
        else:
            logarithms = np.array([numbers.pop() for _ in range(n_features - 1)])
            shapes.append(np.exp(np.append(logarithms, -logarithms.sum())))
        if axis == "I":
            axes.append(np.eye(n_features))
        elif k and axis == "E":
            axes.append(axes[0])
        else:
            skew = np.zeros((n_features, n_features))
            skew[np.tril_indices(n_features, -1)] = [numbers.pop() for _ in range(n_features * (n_features - 1) // 2)]
            axes.append(scipy.linalg.expm(skew - skew.T))
    assert not numbers
    return np.array([v * d @ np.diag(a) @ d.T for v, a, d in zip(volumes, shapes, axes, strict=True)])


def naive_least(name, matrices, counts, n_starts):
    size = FAMILIES[name].n_covariance_parameters(*matrices.shape[:2])
    rng = np.random.default_rng(0)

    def of(numbers):
        return loss(explicit(name, numbers, *matrices.shape[:2]), matrices, counts)

    return min(scipy.optimize.minimize(of, rng.normal(size=size)).fun for _ in range(n_starts))


@pytest.mark.parametrize(("n_components", "n_features"), SIZES)
@pytest.mark.parametrize("name", FOURTEEN)
def test_no_covariances_of_the_model_are_likelier_than_those_of_the_m_step(name, n_components, n_features):
    """A general minimizer over as many numbers as are said to be free finds nothing lower, and nothing else."""
    matrices, counts = draw(n_components + 10 * n_features, n_components, n_features)
    found, _ = fitted(name, matrices, counts)
    assert loss(found, matrices, counts) == pytest.approx(naive_least(name, matrices, counts, 4), abs=1e-6)


# --- what each model says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (4, 1), (3, 2), (5, 4), (3, 7)])
@pytest.mark.parametrize("name", FOURTEEN)
def test_volumes_shapes_and_axes_are_equal_where_the_name_says_so(name, size):
    matrices, counts = draw(3, *size)
    found, _ = fitted(name, matrices, counts)
    eigenvalues = np.linalg.eigvalsh(found)
    volumes = np.exp(np.log(eigenvalues).mean(axis=1))
    shapes = eigenvalues / volumes[:, np.newaxis]
    if name[0] == "E":
        np.testing.assert_allclose(volumes, volumes[0], rtol=1e-10)
    if name[1] == "I":
        np.testing.assert_allclose(shapes, 1.0, rtol=1e-10)
    if name[1] == "E":
        np.testing.assert_allclose(shapes, np.broadcast_to(shapes[0], shapes.shape), rtol=1e-10)
    if name[2] == "I":
        assert not (found * (1 - np.eye(size[1]))).any()
    if name[2] == "E":  # matrices with the same eigenvectors commute
        products = found[:, np.newaxis] @ found[np.newaxis]
        scales = np.abs(found).max() ** 2
        np.testing.assert_allclose(products, np.swapaxes(products, 0, 1), atol=1e-12 * scales)


@pytest.mark.parametrize("name", WITH_MATRICES)
def test_matrices_are_symmetric_to_the_last_bit(name):
    found, _ = fitted(name, *draw(3, 4, 5))
    assert np.array_equal(found, np.swapaxes(found, 1, 2))


@pytest.mark.parametrize("pair", NESTED)
@pytest.mark.parametrize("seed", range(5))
def test_a_model_within_another_is_no_likelier(pair, seed):
    matrices, counts = draw(seed, 3, 4)
    inner, outer = (loss(fitted(name, matrices, counts)[0], matrices, counts) for name in pair.split())
    assert outer <= inner + 1e-12


@pytest.mark.parametrize("name", CONSTRAINED)
def test_covariances_of_the_model_stay_as_they_are(name):
    """Also from scratch: nothing else is as likely as what the rows have."""
    _, covariances = fitted(name, *draw(3, 4, 3))
    family, counts = FAMILIES[name], np.arange(1.0, 5.0)
    for before in (None, covariances):
        np.testing.assert_allclose(family.constrained(covariances, counts, before), covariances, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", FOURTEEN)
@pytest.mark.parametrize("seed", range(20))
def test_a_step_from_covariances_of_the_model_is_no_worse_than_these(name, seed):
    """Whatever the axes before: 100 steps in a row, each with other rows, and each no worse than to stay."""
    before = fitted(name, *draw(seed, 3, 5))[1]
    for other in range(5):
        matrices, counts = draw(100 * seed + other, 3, 5)
        stayed = FAMILIES[name].matrices(before, 3, 5)
        found, before = fitted(name, matrices, counts, before)
        assert loss(found, matrices, counts) <= loss(stayed, matrices, counts) + 1e-12


@pytest.mark.parametrize("name", CONSTRAINED)
def test_where_a_step_goes_on_from_it_arrives_at_last(name):
    """Steps on the same rows end where one from scratch does, unless there are several minima, as of common axes."""
    matrices, counts = draw(8, 3, 4)
    before = fitted(name, *draw(9, 3, 4))[1]
    for _ in range(200):
        found, before = fitted(name, matrices, counts, before)
    expected = loss(fitted(name, matrices, counts)[0], matrices, counts)
    assert loss(found, matrices, counts) == pytest.approx(expected, abs=1e-2 if name[1:] == "VE" else 1e-9)


@pytest.mark.parametrize("name", CONSTRAINED)
def test_other_units_of_all_features_change_no_more_than_the_units(name):
    matrices, counts = draw(8, 3, 4)
    once = fitted(name, matrices, counts)[1]
    for scale in (1e-12, 1e12):
        np.testing.assert_allclose(fitted(name, scale * matrices, counts)[1] / scale, once, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in CONSTRAINED if FAMILIES[name].is_closed_under_scaling])
def test_other_units_of_each_feature_change_no_more_than_the_units(name):
    matrices, counts = draw(8, 3, 4)
    units = np.array([1e-3, 1.0, 7.0, 1e3])
    once, scaled = fitted(name, matrices, counts)[0], fitted(name, matrices * np.outer(units, units), counts)[0]
    np.testing.assert_allclose(scaled / np.outer(units, units), once, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CONSTRAINED)
def test_a_component_without_points_leaves_the_others_alone(name):
    matrices, counts = draw(5, 3, 3)
    alone = fitted(name, matrices[:2], counts[:2])[0]
    matrices[2], counts[2] = 1e-6 * np.eye(3), 1e-13
    np.testing.assert_allclose(fitted(name, matrices, counts)[0][:2], alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("unsound", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("name", CONSTRAINED)
def test_unsound_covariances_are_left_to_be_refused(name, unsound):
    """Or are mended by those of others, where these say all that there is to say."""
    family, (matrices, counts) = FAMILIES[name], draw(5, 3, 3)
    covariances = as_kernel_has_them(name, matrices, counts).copy()
    with np.errstate(invalid="ignore"):
        covariances[1] *= unsound
    found = family.constrained(covariances, counts)
    if unsound == 0.0 and name in ("EII", "EEI", "EEV"):
        assert np.isfinite(family.precisions_cholesky(found)).all()
    else:
        with pytest.raises(ValueError, match="component 1 is not positive definite"):
            family.precisions_cholesky(found)


def test_few_points_of_a_component_are_enough_where_shapes_are_shared():
    """A covariance of rank 1 in four dimensions."""
    matrices, counts = draw(5, 3, 4)
    matrices[1] = np.outer(matrices[1, 0], matrices[1, 0])
    for name in ("EII", "EEI", "VEI", "VEE", "EEV", "VEV"):
        assert np.isfinite(FAMILIES[name].precisions_cholesky(fitted(name, matrices, counts)[1])).all()


# --- numbers and names -----------------------------------------------------------------------------------------------


def in_mclust(name, G, d):
    """nVarParams of mclust 6."""
    return {
        "EII": 1,
        "VII": G,
        "EEI": d,
        "VEI": G + (d - 1),
        "EVI": 1 + G * (d - 1),
        "VVI": G * d,
        "EEE": d * (d + 1) / 2,
        "EVE": 1 + G * (d - 1) + d * (d - 1) / 2,
        "VEE": G + (d - 1) + d * (d - 1) / 2,
        "VVE": G + G * (d - 1) + d * (d - 1) / 2,
        "EEV": 1 + (d - 1) + G * d * (d - 1) / 2,
        "VEV": G + (d - 1) + G * d * (d - 1) / 2,
        "EVV": 1 - G + G * d * (d + 1) / 2,
        "VVV": G * d * (d + 1) / 2,
    }[name]


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 1), (3, 4), (9, 2)])
@pytest.mark.parametrize("name", FOURTEEN)
def test_free_parameters_are_those_of_mclust(name, size):
    assert FAMILIES[name].n_covariance_parameters(*size) == in_mclust(name, *size)


def test_four_of_the_models_have_another_name():
    """And nothing else of their own, so that their fits are the same to the bit."""
    named = zip(("VVV", "EEE", "VVI", "VII"), FOUR, strict=True)
    for name, other in named:
        one, two = FAMILIES[name], FAMILIES[other]
        assert (one.kernel, one.maximize, one.constrain) == (two.kernel, two.maximize, None)
        assert one.n_covariance_parameters(3, 4) == two.n_covariance_parameters(3, 4)


@pytest.mark.parametrize("n_axes", [1, 2, 3, 6, 7])
def test_every_pair_of_axes_turns_once_in_a_round(n_axes):
    pairs = []
    for first, second in _pairs(n_axes):
        busy = [*first, *second]
        assert len(set(busy)) == len(busy)
        pairs += [tuple(sorted(pair)) for pair in zip(first, second, strict=True)]
    assert sorted(pairs) == [(i, j) for i in range(n_axes) for j in range(i + 1, n_axes)]
