"""Components of counts and categories: exponential families whose log-density is linear in the data.

log p(x) = log h(x) + Σⱼ xⱼ θⱼ + Σⱼ bⱼ with the mean parameters p, probabilities or rates, of every feature (a category
is a feature of its own, 1 or 0):

============  =======================  ==================  ===========================================
family        θ                        b                   log h(x)
============  =======================  ==================  ===========================================
bernoulli     log p − log(1 − p)       log(1 − p)          0
poisson       log λ                    −λ                  −Σ log xⱼ!
multinomial   log p                    0                   log (Σxⱼ)! − Σ log xⱼ!
categorical   log p                    0                   0
============  =======================  ==================  ===========================================

A conjugate prior smooths the M-step, so that nothing is impossible that a component has not seen yet: α for each value
that a feature may have (Bernoulli, multinomial, categorical [1]_ [2]_), which is Dirichlet(1 + α), or α rows at the
rates of all rows (Poisson), which is Gamma(1 + αm, α).

References
----------
.. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, section 9.3.3.
.. [2] K. Nigam, A. McCallum, S. Thrun and T. Mitchell, "Text classification from labeled and unlabeled documents using
   EM", Machine Learning 39 (2000).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastgmm.entries import Entries
from fastgmm.machine.pieces import pieces
from fastgmm.parameters import Array, FloatArray, IntArray, Parameters, PreparedLinear, empty_loadings

# No probability is nearer to 0 or 1, and no rate smaller: a row may be nearly impossible, but its density is a number.
SMALLEST = 1e-15


@dataclass(frozen=True, eq=False)
class DiscreteFamily:
    """The functions that make a family; K components, D mean parameters of each.

    Attributes
    ----------
    name : str
    natural : callable (means (K, D)) -> (θ (K, D), b (K, D))
    maximize : callable (sums (K, D), seen (K, D), alpha, center (D,)) -> means (K, D)
        The M-step of Σ wr x over rows that have the feature, and Σ wr of these; ``center`` are the means of all rows.
    log_prior : callable (means (K, D), alpha, center (D,)) -> float
        But for a constant.
    n_free : callable (D) -> int
        Free numbers of a component.
    has_missing : bool
        Whether a missing value of a row may be left out, so that its density is that of the others.
    counts : bool
        Whether log h(x) has factorials.
    has_total : bool
        Whether that of the row's total is among them.
    draw : callable (means (D,), n, random_state, totals (n,)) -> array (n, d)
    """

    name: str
    natural: Callable[[FloatArray], tuple[FloatArray, FloatArray]]
    maximize: Callable[[FloatArray, FloatArray, float, FloatArray], FloatArray]
    log_prior: Callable[[FloatArray, float, FloatArray], float]
    n_free: Callable[[int], int]
    draw: Callable[[FloatArray, int, np.random.RandomState, IntArray], Array]
    has_missing: bool = False
    counts: bool = False
    has_total: bool = False

    def prepare(self, parameters: Parameters, has_missing: bool) -> PreparedLinear:
        """cₖ = log πₖ + Σⱼ bⱼₖ; a missing value takes its b away again."""
        theta, base = self.natural(parameters.means)
        with np.errstate(divide="ignore"):  # a weight of 0
            constants = np.log(parameters.weights) + base.sum(axis=1)
        n_components, width = theta.shape
        loadings = empty_loadings(2 * width if has_missing else width, n_components)
        loadings[:width, :n_components] = theta.T
        if has_missing:
            loadings[width:, :n_components] = -base.T
        return PreparedLinear(np.maximum(constants, -1e300), loadings)

    def log_constants(self, rows: Entries) -> FloatArray:
        """log h(x) of every row (n,)."""
        result = np.zeros(rows.n_rows)
        if self.counts and rows.values is not None:
            n_bytes = 24 * max(1, rows.n_entries // max(1, rows.n_rows))
            for part in pieces(rows.n_rows, n_bytes):
                result[part] = _log_constants(rows.part(part), self.has_total)
        return result


def _log_constants(rows: Entries, has_total: bool) -> FloatArray:
    assert rows.values is not None
    values = np.nan_to_num(rows.values.astype(np.float64))
    if rows.starts is None:
        own, totals = log_factorials(values).sum(axis=1), values.sum(axis=1)
    else:
        place = np.repeat(np.arange(rows.n_rows), np.diff(rows.starts))
        own = np.bincount(place, log_factorials(values), rows.n_rows)
        totals = np.bincount(place, values, rows.n_rows)
    result: FloatArray = log_factorials(totals) - own if has_total else -own
    return result


def log_factorials(numbers: FloatArray) -> FloatArray:
    """log x! = log Γ(x + 1), of numbers of which few are distinct."""
    distinct, which = np.unique(numbers, return_inverse=True)
    logarithms = np.array([math.lgamma(number + 1.0) for number in distinct.tolist()])
    result: FloatArray = logarithms[which.reshape(numbers.shape)]
    return result


def _bounded(means: FloatArray) -> FloatArray:
    """Concave in each of them, so that the nearest allowed is the best allowed."""
    return np.clip(means, SMALLEST, 1.0 - SMALLEST)


def _logistic(means: FloatArray) -> tuple[FloatArray, FloatArray]:
    base = np.log1p(-means)
    return np.log(means) - base, base


def _bernoulli(sums: FloatArray, seen: FloatArray, alpha: float, center: FloatArray) -> FloatArray:
    """p = (s + α)/(N + 2α)"""
    return _bounded((sums + alpha) / (seen + 2.0 * alpha))


def _poisson(sums: FloatArray, seen: FloatArray, alpha: float, center: FloatArray) -> FloatArray:
    """λ = (s + αm)/(N + α)"""
    return np.maximum((sums + alpha * center) / (seen + alpha), SMALLEST)


def _multinomial(sums: FloatArray, seen: FloatArray, alpha: float, center: FloatArray) -> FloatArray:
    """p = (s + α)/Σⱼ(s + α)"""
    return _shares(sums + alpha, np.zeros(1, np.int64))


def _shares(numbers: FloatArray, begins: IntArray) -> FloatArray:
    """Of the sums of their features, which begin at these columns; equal ones where a sum is 0."""
    lengths = np.diff(np.append(begins, numbers.shape[1]))
    totals = np.repeat(np.add.reduceat(numbers, begins, axis=1), lengths, axis=1)
    equal = np.repeat(1.0 / lengths, lengths)
    shares = np.where(totals > 0, numbers / np.where(totals > 0, totals, 1.0), equal)
    shares = np.maximum(shares, SMALLEST)
    result: FloatArray = shares / np.repeat(np.add.reduceat(shares, begins, axis=1), lengths, axis=1)
    return result


def _log_dirichlet(means: FloatArray, alpha: float, center: FloatArray) -> float:
    return float(alpha * np.log(means).sum()) if alpha else 0.0


BERNOULLI = DiscreteFamily(
    name="bernoulli",
    natural=_logistic,
    maximize=_bernoulli,
    log_prior=lambda means, alpha, center: float(alpha * (np.log(means) + np.log1p(-means)).sum()) if alpha else 0.0,
    n_free=lambda width: width,
    draw=lambda means, n, random_state, totals: (random_state.uniform(size=(n, len(means))) < means).astype(np.uint8),
    has_missing=True,
)

POISSON = DiscreteFamily(
    name="poisson",
    natural=lambda means: (np.log(means), -means),
    maximize=_poisson,
    log_prior=lambda means, alpha, center: float(alpha * (center * np.log(means) - means).sum()) if alpha else 0.0,
    n_free=lambda width: width,
    draw=lambda means, n, random_state, totals: random_state.poisson(means, (n, len(means))),
    has_missing=True,
    counts=True,
)

MULTINOMIAL = DiscreteFamily(
    name="multinomial",
    natural=lambda means: (np.log(means), np.zeros(means.shape)),
    maximize=_multinomial,
    log_prior=_log_dirichlet,
    n_free=lambda width: width - 1,
    draw=lambda means, n, random_state, totals: np.array(
        [random_state.multinomial(total, means) for total in totals.tolist()], np.int64
    ).reshape(n, len(means)),
    counts=True,
    has_total=True,
)


def categorical(n_categories: IntArray) -> DiscreteFamily:
    """Features of so many categories each, whose probabilities stand next to each other."""
    ends = np.cumsum(n_categories)
    begins = ends - n_categories

    def draw(means: FloatArray, n: int, random_state: np.random.RandomState, totals: IntArray) -> Array:
        drawn = np.empty((n, len(begins)), np.int64)
        for j, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            drawn[:, j] = random_state.choice(end - begin, n, p=means[begin:end] / means[begin:end].sum())
        return drawn

    return DiscreteFamily(
        name="categorical",
        natural=lambda means: (np.log(means), np.zeros(means.shape)),
        maximize=lambda sums, seen, alpha, center: _shares(sums + alpha, begins),
        log_prior=_log_dirichlet,
        n_free=lambda width: width - len(begins),
        draw=draw,
    )


def family_of(name: str, n_categories: IntArray | None = None) -> DiscreteFamily:
    """The family of that name; categories are those of the features."""
    if name == "categorical":
        assert n_categories is not None
        return categorical(n_categories)
    return {"bernoulli": BERNOULLI, "poisson": POISSON, "multinomial": MULTINOMIAL}[name]
