"""A family of counts stands in one place: kernels, sweeps and the loop run it without knowing it."""

import numpy as np
import pytest

from fastgmm.data.counts import check_counts
from fastgmm.families.discrete import DiscreteFamily
from fastgmm.fit.discrete import fit_entries
from fastgmm.fit.discrete_options import DiscreteOptions
from tests.conftest import BACKENDS


def failures(means):
    """log P(x) = x log q + log(1 − q) of x failures before a success, q = m/(1 + m) for the mean m."""
    q = means / (1.0 + means)
    return np.log(q), np.log1p(-q)


GEOMETRIC = DiscreteFamily(
    name="geometric",
    natural=failures,
    maximize=lambda sums, seen, alpha, center: np.maximum((sums + alpha * center) / (seen + alpha), 1e-12),
    log_prior=lambda means, alpha, center: float(
        alpha * (center * failures(means)[0] + failures(means)[1]).sum() if alpha else 0.0
    ),
    n_free=lambda width: width,
    draw=lambda means, n, random_state, totals: random_state.geometric(1.0 / (1.0 + means), (n, len(means))) - 1,
    has_missing=True,
)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("with_missing", [False, True])
def test_a_geometric_mixture_is_fitted(with_missing, backend, rng):
    means = np.where(np.arange(6000)[:, np.newaxis] < 2000, [1.0, 20.0, 3.0], [15.0, 2.0, 3.0])
    X = rng.geometric(1.0 / (1.0 + means)) - 1.0
    if with_missing:
        X[rng.uniform(size=X.shape) < 0.1] = np.nan
    options = DiscreteOptions(n_components=2, alpha=0.0, tol=1e-8, max_iter=500, random_state=0, backend=backend)
    best, steps, warning = fit_entries(options, GEOMETRIC, check_counts(X, "", 1, allow_missing=True), None)
    assert warning is None
    assert not any(step.fell for step in steps)
    order = np.argsort(best.parameters.weights)
    np.testing.assert_allclose(best.parameters.weights[order], [1 / 3, 2 / 3], atol=0.03)
    np.testing.assert_allclose(best.parameters.means[order], [[1, 20, 3], [15, 2, 3]], rtol=0.15)
