"""Sufficient statistics of one pass over the data: what the M-step needs, whatever the number of rows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.parameters import FloatArray

_NO_EXTRA = np.empty((0, 0))
# Where rows were added and taken away counts may be wrong by so much of the total weight; sums of squares by so much of
# that of all components, since squares of rows that are long gone may have been far larger than those that are left.
_ROUNDING_OF_COUNTS, _ROUNDING_OF_SQUARES = 1e-12, 1e-6
_NO_PART = "These moments are not part of those"


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of every component about the means it had when the rows were read, in float64.

    :meth:`fastgmm.GaussianMixture.moments` makes them, :meth:`fastgmm.GaussianMixture.maximized` takes them. Those of
    parts of the rows, from several machines or hospitals, add up to those of the whole: no row has to travel.

    With w the weight of a row, r its responsibility, K components and d features:

    Attributes
    ----------
    counts : ndarray of shape (K,)
        N = Σ wr
    first : ndarray of shape (K, d)
        s = Σ wr(x − μ)
    second : ndarray
        S = Σ wr(x − μ)(x − μ)ᵀ in the shape of the family: full (K, d, d), of which only the lower triangles
        count; tied (d, d), summed over components; diag and factor (K, d), the diagonals; spherical (K,), the traces.
    total_weight : float
        Σ w
    log_likelihood : float
        Σ w log p(x), under the parameters that gave the responsibilities.
    n_rows : int
        How many rows were read; a row of weight 0 is none.
    about : ndarray of shape (K, d)
        The means μ, in the coordinates of the data (within a fit, in those of its rows).
    covariance_type : {'full', 'tied', 'diag', 'spherical', 'factor'}
        The family whose second moments these are. A family that uses the kernel of one of these has its moments.
    extra : ndarray of shape (K, e), default of shape (K, 0)
        Further sums over rows, for families that need some. Of diag and spherical, where values are missing, Σ wr of
        the rows that have the feature, (K, d): ``first`` and ``second`` then are sums over these. Of factor
        Σ wr(x − μ)zᵀ, (K, d · rank), with the model's expected factors z.

    Notes
    -----
    About the current means, and not about zero: with data at an offset of 1e8 standard deviations Σ xxᵀ keeps no
    digit of the covariance. The M-step [1]_ is μ' = μ + δ and Σ' = S/N − δδᵀ with δ = s/N.

    References
    ----------
    .. [1] A. P. Dempster, N. M. Laird and D. B. Rubin, "Maximum likelihood from incomplete data via the EM
       algorithm", JRSS B 39 (1977).

    Examples
    --------
    An iteration of EM over rows in two places:

    >>> import numpy as np
    >>> from fastgmm import GaussianMixture
    >>> here, there = np.array([[-1.0], [1.0], [2.0]]), np.array([[8.0], [10.0]])
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [10.0]], [1.0, 1.0], "spherical")
    >>> moments = gm.moments(here) + gm.moments(there)
    >>> moments.n_rows, moments.counts.round(6)
    (5, array([3., 2.]))
    >>> gm.maximized(moments).means_.ravel().round(4)
    array([0.6667, 9.    ])
    """

    counts: FloatArray
    first: FloatArray
    second: FloatArray
    total_weight: float
    log_likelihood: float
    n_rows: int
    about: FloatArray
    covariance_type: str
    extra: FloatArray = field(default_factory=lambda: _NO_EXTRA)

    def __post_init__(self) -> None:
        # Nothing is checked here: a small fit makes one of these every few microseconds.
        if self.extra is _NO_EXTRA:
            object.__setattr__(self, "extra", np.empty((len(self.counts), 0)))

    @property
    def counts_of_features(self) -> FloatArray | None:
        """Σ wr of the rows that have each feature (K, d), where values are missing and sums are over these alone."""
        is_direct = self.covariance_type in ("diag", "spherical") and self.extra.size > 0
        return self.extra if is_direct and self.extra.shape == self.about.shape else None

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of the rows of both.

        Raises
        ------
        ValueError
            Where they are of different families or shapes, or about different means.
        """
        if not isinstance(other, Moments):
            return NotImplemented
        _require_alike(self, other)
        return Moments(
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
            self.total_weight + other.total_weight,
            self.log_likelihood + other.log_likelihood,
            self.n_rows + other.n_rows,
            self.about,
            self.covariance_type,
            np.add(*_extra_of_both(self, other)),
        )

    def __sub__(self, other: "Moments") -> "Moments":
        """The moments of the rows that are left where those of ``other`` are taken away, as from a window that slides.

        The inverse of ``+``: N = N₁ − N₂, s = s₁ − s₂, S = S₁ − S₂, and the same of the other sums.

        Returns
        -------
        Moments
            A count within 1e-12 of the total weight of ``self`` is rounding, be it negative: it comes out as 0, and
            so do ``first`` and, but for tied components, ``second`` of that component. So do negative diagonals.

        Raises
        ------
        ValueError
            Where counts, numbers of rows or scatter are more negative than by rounding: ``other`` is no part of
            ``self``. Where they are not alike, as for ``+``; and where a row of ``other`` was impossible.

        Notes
        -----
        The rounding of a difference is that of what was there before, ε|S₁| with ε = 1e-16, not ε|S|: what is left has
        lost as many digits as it is smaller, |S₁|/|S| [1]_. (a + b) − b is a to 3e-16 of a + b. Each step of a window
        adds as much; moments of its rows, taken anew from time to time, begin at no error again.

        References
        ----------
        .. [1] N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002, section 1.7.

        Examples
        --------
        >>> from fastgmm import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[1.0]], "diag")
        >>> oldest, newest = gm.moments([[1.0]]), gm.moments([[4.0]])
        >>> window = oldest + gm.moments([[2.0], [3.0]])
        >>> (window + newest - oldest).first
        array([[9.]])
        """
        if not isinstance(other, Moments):
            return NotImplemented
        check_moments(self)
        check_moments(other)
        _require_alike(self, other)
        return _remaining(self, other)

    def scaled(self, factor: float) -> "Moments":
        """These moments as though every row weighed ``factor`` times as much; ``n_rows`` stays.

        Parameters
        ----------
        factor : float
            Finite and not negative.

        Returns
        -------
        Moments

        Raises
        ------
        ValueError
            For any other factor.

        Examples
        --------
        A stream that forgets half of what it knew with every batch:

        >>> import numpy as np
        >>> from fastgmm import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[1.0]], "diag")
        >>> known = gm.moments([[1.0], [2.0]])
        >>> (known.scaled(0.5) + gm.moments([[3.0]])).first
        array([[4.5]])
        """
        if not (np.ndim(factor) == 0 and math.isfinite(factor) and factor >= 0):
            raise ValueError(f"factor must be a finite number that is not negative; got {factor!r}")
        factor = float(factor)
        return replace(
            self,
            **{name: factor * getattr(self, name) for name in ("counts", "first", "second", "extra")},
            total_weight=factor * self.total_weight,
            # No rows have no likelihood, also where that of one row is 0.
            log_likelihood=factor * self.log_likelihood if factor else 0.0,
        )

    def recentred(self, means: "ArrayLike") -> "Moments":
        """The same moments about other means; no row is needed for that.

        With δ = μ' − μ: s' = s − Nδ and S' = S − sδᵀ − δsᵀ + Nδδᵀ, of which the family has the matrices, their sum,
        the diagonals or the traces. Counts and likelihood are still those of the model that read the rows.

        Parameters
        ----------
        means : array-like of shape (K, d)

        Returns
        -------
        Moments
            About ``means``. The further these are from the rows, in their standard deviations, the fewer digits are
            left of the scatter.

        Raises
        ------
        ValueError
            Where ``means`` are not finite or of another shape, or the moments unsound, or those of factor analyzers.

        Examples
        --------
        >>> from fastgmm import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0]], [[1.0]], "diag")
        >>> moments = gm.moments([[1.0], [3.0]]).recentred([[2.0]])
        >>> moments.first, moments.second
        (array([[0.]]), array([[2.]]))
        """
        check_moments(self)
        means = np.array(means, np.float64)
        if means.shape != self.about.shape or not np.isfinite(means).all():
            raise ValueError(f"means must be a finite array of shape {self.about.shape}; got shape {means.shape}")
        shifts = means - self.about
        change, of_features = SECOND_MOMENTS[self.covariance_type].change, self.counts_of_features
        counts = self.counts if of_features is None else of_features
        return replace(
            self,
            first=self.first - counts.reshape(len(counts), -1) * shifts,
            second=self.second - change(counts, self.first, shifts),
            about=means,
        )


def _require_alike(one: Moments, other: Moments) -> None:
    """Refuse moments that do not add up."""
    if one.covariance_type != other.covariance_type:
        raise ValueError(
            f"Moments of different families do not add up: {one.covariance_type!r} and {other.covariance_type!r}"
        )
    names = ("counts", "first", "second", "about", "extra")
    for name in names[:-1] if _are_counts_of_features(one, other) else names:
        shapes = np.shape(getattr(one, name)), np.shape(getattr(other, name))
        if shapes[0] != shapes[1]:
            raise ValueError(f"Moments of different shapes do not add up: {name} {shapes[0]} and {shapes[1]}")
    if one.about is not other.about and not np.array_equal(one.about, other.about):
        raise ValueError(
            "Moments about different means do not add up: take those of all rows under the same model, or bring one of "
            "them to the means of the other by its method recentred: one + other.recentred(one.about)"
        )


def _are_counts_of_features(one: Moments, other: Moments) -> bool:
    """Whether one of two has counts of features, and the other, of complete rows, needs none."""
    some, none = (one, other) if one.extra.size else (other, one)
    return some.counts_of_features is not None and none.extra.shape[1:] == (0,)


def _extra_of_both(one: Moments, other: Moments) -> tuple[FloatArray, FloatArray]:
    """As sums over the same: complete rows have every feature."""
    if not _are_counts_of_features(one, other):
        return one.extra, other.extra
    of_complete = np.repeat((other if one.extra.size else one).counts[:, np.newaxis], one.about.shape[1], axis=1)
    return (one.extra, of_complete) if one.extra.size else (of_complete, other.extra)


def _remaining(whole: Moments, part: Moments) -> Moments:
    """What is left of sound moments without those of a part of the rows."""
    if part.log_likelihood == -math.inf:
        raise ValueError("A row of these moments was impossible: the likelihood of the others is not known.")
    if part.n_rows > whole.n_rows:
        raise ValueError(f"{_NO_PART}: they are of {part.n_rows} rows, those of {whole.n_rows}.")
    rounding = _ROUNDING_OF_COUNTS * whole.total_weight
    total_weight = float(_counts_left("total_weight", whole.total_weight, part.total_weight, rounding))
    counts, sums = _counts_left("counts", whole.counts, part.counts, rounding), _extra_of_both(whole, part)
    are_counts = (whole if whole.extra.size else part).counts_of_features is not None
    extra = _counts_left("extra", *sums, rounding) if are_counts else np.subtract(*sums)
    first, second = whole.first - part.first, _squares_left(whole, part)
    first[counts == 0] = 0.0
    if whole.covariance_type != "tied":
        second[counts == 0] = 0.0
    return replace(
        whole,
        counts=counts,
        first=first,
        second=second,
        total_weight=total_weight,
        log_likelihood=whole.log_likelihood - part.log_likelihood if total_weight else 0.0,
        n_rows=whole.n_rows - part.n_rows,
        extra=extra,
    )


def _counts_left(name: str, whole: "ArrayLike", part: "ArrayLike", rounding: float) -> FloatArray:
    """0 where nothing but rounding is left; refused where less than that is."""
    left: FloatArray = np.subtract(whole, part)
    if (left < -rounding).any():
        raise ValueError(f"{_NO_PART}: of {name}, {left.min():.3g} would be left.")
    return np.where(left > rounding, left, 0.0)


def _squares_left(whole: Moments, part: Moments) -> FloatArray:
    """Second moments, with diagonals that are not negative; refused where they are so by more than rounding."""
    left, diagonals = whole.second - part.second, SECOND_MOMENTS[whole.covariance_type].diagonals
    squares, rounding = diagonals(left), _ROUNDING_OF_SQUARES * diagonals(whole.second).sum(axis=0)
    if (squares < -rounding).any():
        raise ValueError(f"{_NO_PART}: of the squares in second, {squares.min():.3g} would be left.")
    np.maximum(squares, 0.0, out=squares)
    return left


def check_moments(moments: Moments) -> None:
    """Refuse moments of which an M-step could make no sense: ``ValueError`` says why."""
    if moments.covariance_type not in SECOND_MOMENTS:
        known = ", ".join(map(repr, SECOND_MOMENTS))
        raise ValueError(f"the covariance_type of moments must be among {known}; got {moments.covariance_type!r}")
    arrays = {name: getattr(moments, name) for name in ("counts", "first", "second", "about", "extra")}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype != np.float64 or not np.isfinite(array).all():
            raise ValueError(f"{name} of moments must be a finite array of float64")
    shape = moments.about.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"about of moments must have the shape (n_components, n_features); got {shape}")
    expected = {"counts": shape[:1], "first": shape, "second": SECOND_MOMENTS[moments.covariance_type].shape(*shape)}
    for name, right in expected.items():
        if arrays[name].shape != right:
            raise ValueError(f"{name} of moments must have the shape {right}; got {arrays[name].shape}")
    if moments.extra.ndim != 2 or len(moments.extra) != shape[0]:
        raise ValueError(f"extra of moments must have a row for each component; got shape {moments.extra.shape}")
    of_features = moments.counts_of_features
    if of_features is not None and (of_features < 0).any():
        raise ValueError("extra of moments, the counts of features, must not be negative")
    if (moments.counts < 0).any() or not 0.0 <= moments.total_weight < math.inf or moments.n_rows < 0:
        raise ValueError("counts, total_weight and n_rows of moments must be finite and not negative")
    if not moments.log_likelihood < math.inf:
        raise ValueError(f"log_likelihood of moments must be a number below infinity; got {moments.log_likelihood}")


# How much larger S is about μ than about μ + δ, from N, s and δ: sδᵀ + δsᵀ − Nδδᵀ of every component.


def _change_of_matrices(counts: FloatArray, first: FloatArray, shifts: FloatArray) -> FloatArray:
    cross = first[:, :, np.newaxis] * shifts[:, np.newaxis, :]
    squares = shifts[:, :, np.newaxis] * shifts[:, np.newaxis, :]
    change: FloatArray = cross + np.swapaxes(cross, 1, 2) - counts[:, np.newaxis, np.newaxis] * squares
    return change


def _change_of_their_sum(counts: FloatArray, first: FloatArray, shifts: FloatArray) -> FloatArray:
    cross = first.T @ shifts
    change: FloatArray = cross + cross.T - (shifts.T * counts) @ shifts
    return change


def _change_of_diagonals(counts: FloatArray, first: FloatArray, shifts: FloatArray) -> FloatArray:
    return shifts * (2.0 * first - counts.reshape(len(counts), -1) * shifts)


def _change_of_traces(counts: FloatArray, first: FloatArray, shifts: FloatArray) -> FloatArray:
    traces: FloatArray = _change_of_diagonals(counts, first, shifts).sum(axis=1)
    return traces


def _no_change(*_: FloatArray) -> FloatArray:
    raise ValueError("Moments of factor analyzers belong to the model that read the rows, and have its factors.")


@dataclass(frozen=True)
class SecondMoments:
    """Their shape for (K, d), how they change with the means, and a view of the sums of squares, features last."""

    shape: Callable[[int, int], tuple[int, ...]]
    change: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
    diagonals: Callable[[FloatArray], FloatArray]


def _diagonals(matrices: FloatArray) -> FloatArray:
    return np.atleast_2d(np.einsum("...ii->...i", matrices))


# By the kernel that collects them.
SECOND_MOMENTS = {
    "full": SecondMoments(lambda n_components, d: (n_components, d, d), _change_of_matrices, _diagonals),
    "tied": SecondMoments(lambda n_components, d: (d, d), _change_of_their_sum, _diagonals),
    "diag": SecondMoments(lambda n_components, d: (n_components, d), _change_of_diagonals, np.atleast_2d),
    "spherical": SecondMoments(lambda n_components, d: (n_components,), _change_of_traces, lambda each: each[:, None]),
    "factor": SecondMoments(lambda n_components, d: (n_components, d), _no_change, np.atleast_2d),
}
