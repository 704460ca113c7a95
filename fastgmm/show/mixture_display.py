"""``MixtureDisplay``, in the manner of scikit-learn's displays: which picture of a mixture is drawn, and its words."""

from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.data.features import indices_of
from fastgmm.parameters import Names
from fastgmm.show.figures import Axes, add_legend, axes_of_pairs, new_figure, png_of
from fastgmm.show.panels import (
    draw_classification,
    draw_histogram,
    draw_path,
    draw_regions,
    draw_uncertainty,
)
from fastgmm.show.reports import objective_of
from fastgmm.show.views import Classified, View, classified, view_of_discriminants, view_of_features

Kind: TypeAlias = Literal["classification", "uncertainty", "density", "pairs", "histogram", "path"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# How many components a legend names; of more the means have numbers.
_MOST_NAMED_COMPONENTS = 12
_MOST_PAIRED_FEATURES = 6
_INCHES_OF_PAIRS = (8.0, 7.5)
_OF_TWO_FEATURES = ("classification", "uncertainty", "density")
_TITLE_OF_LEGEND = "component (weight)"


class MixtureDisplay:
    """A picture of a fitted mixture, and of rows.

    ``from_estimator`` makes it, and so does ``GaussianMixture.plot``. Notebooks show it; ``figure_.savefig`` writes a
    file. It keeps the rows, and draws them again by ``plot``.

    Parameters
    ----------
    estimator : GaussianMixture
        A fitted one.
    kind : {'classification', 'uncertainty', 'density', 'pairs', 'histogram', 'path'}
    features : ndarray of int, or None
        The numbers of the features that are shown; None for the two directions in which components differ most.
    rows : object, optional
        What is known of the rows that are shown.

    Attributes
    ----------
    axes_ : matplotlib Axes, or ndarray of them of shape (n_features, n_features)
        The latter of pairs, with None above the diagonal.
    figure_ : matplotlib Figure
        Unless axes were given it is known to no window and not to pyplot.

    Examples
    --------
    >>> from fastgmm import GaussianMixture, MixtureDisplay
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [4.0, 4.0]], [1.0, 1.0], "spherical")
    >>> display = MixtureDisplay.from_estimator(gm, [[0.1, -0.3], [4.2, 3.0]])
    >>> display.axes_.get_xlabel()
    'feature 0'
    """

    axes_: Any
    figure_: Any

    def __init__(
        self, estimator: Any, *, kind: Kind, features: NDArray[np.intp] | None, rows: Classified | None = None
    ) -> None:
        self.estimator = estimator
        self.kind = kind
        self.features = features
        self.rows = rows

    @classmethod
    def from_estimator(
        cls,
        estimator: object,
        X: "ArrayLike | None" = None,
        *,
        features: "ArrayLike | None" = None,
        kind: Kind | None = None,
        sample_weight: "ArrayLike | None" = None,
        ax: object = None,
    ) -> Self:
        """Draw a fitted mixture, as ``GaussianMixture.plot`` does.

        Parameters
        ----------
        estimator : GaussianMixture
            A fitted one.
        X : array-like of shape (n_samples, n_features), optional
        features : int, str, or array-like of shape (n_shown,), optional
        kind : {'classification', 'uncertainty', 'density', 'pairs', 'histogram', 'path'}, optional
        sample_weight : array-like of shape (n_samples,), optional
        ax : matplotlib Axes, optional
            See ``GaussianMixture.plot`` for all of these.

        Returns
        -------
        MixtureDisplay

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        NotFittedError
        ValueError
            As ``GaussianMixture.plot``.

        Examples
        --------
        >>> from fastgmm import GaussianMixture, MixtureDisplay
        >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0], [4.0]], [1.0, 1.0], "spherical")
        >>> MixtureDisplay.from_estimator(gm).kind
        'histogram'
        """
        names = _names_of(estimator)
        fitted_names = getattr(estimator, "feature_names_in_", None)
        chosen = None if features is None else indices_of(features, len(names), fitted_names)
        kind = _kind_of(kind, len(names), chosen)
        if chosen is None and len(names) <= (_MOST_PAIRED_FEATURES if kind == "pairs" else 2):
            chosen = np.arange(len(names))
        rows = None if X is None or kind == "path" else classified(estimator, X, sample_weight, kind == "uncertainty")
        if kind == "uncertainty" and rows is None:
            raise ValueError("kind='uncertainty' is a picture of rows: give X.")
        return cls(estimator, kind=kind, features=chosen, rows=rows).plot(ax)

    def plot(self, ax: object = None) -> Self:
        """Draw it once more.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; in a figure of its own by default.

        Returns
        -------
        MixtureDisplay
            The same one, whose ``axes_`` and ``figure_`` are those of the new picture.

        Examples
        --------
        >>> from fastgmm import GaussianMixture
        >>> gm = GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [1.0], "spherical")
        >>> display = gm.plot(kind="density")
        >>> first = display.figure_
        >>> display.plot().figure_ is first
        False
        """
        host: Any = ax
        if host is None:
            host = (new_figure(_INCHES_OF_PAIRS) if self.kind == "pairs" else new_figure()).add_subplot()
        self.figure_, self.axes_ = host.figure, host
        if self.kind == "path":
            _draw_path_of(host, self.estimator)
        elif self.kind == "pairs":
            self.axes_ = self._draw_pairs(host)
        else:
            self._draw_view(host, is_alone=ax is None)
        return self

    def _repr_png_(self) -> bytes:
        """What notebooks show."""
        return png_of(self.figure_)

    def _view(self, features: NDArray[np.intp] | None) -> View:
        if features is None:
            return view_of_discriminants(self.estimator, self.rows)
        return view_of_features(self.estimator, features, _names_of(self.estimator), self.rows)

    def _draw_view(self, axes: Axes, is_alone: bool) -> None:
        view = self._view(self.features)
        axes.set_xlabel(view.names[0])
        axes.set_ylabel("density" if self.kind == "histogram" else view.names[1])
        axes.set_title(self._title(view.n_left_out))
        is_named = view.parameters.n_components <= _MOST_NAMED_COMPONENTS
        if self.kind == "density":
            draw_regions(axes, view)
            add_legend(axes, "of the mixture", is_alone)
        elif self.kind == "uncertainty":
            draw_uncertainty(axes, view)
            add_legend(axes, "1 − max p", is_alone)
        elif self.kind == "histogram":
            draw_histogram(axes, view, view.mixture.decision_points()[0])
        else:
            draw_classification(axes, view, with_numbers=not is_named)
        if is_named and self.kind in ("histogram", "classification"):
            add_legend(axes, _TITLE_OF_LEGEND, is_alone)

    def _draw_pairs(self, host: Axes) -> NDArray[np.object_]:
        """A feature in every row and column: two of them below the diagonal, and one for itself on it."""
        assert self.features is not None
        n_features, names = len(self.features), _names_of(self.estimator)[self.features]
        grid = axes_of_pairs(host, n_features, list(names))
        n_components = len(self._view(self.features[:1]).parameters.weights)
        is_named, n_left_out = n_components <= _MOST_NAMED_COMPONENTS, 0
        for line in range(n_features):
            for column in range(line):
                view = self._view(self.features[[column, line]])
                draw_classification(grid[line, column], view, not is_named)
                n_left_out = max(n_left_out, view.n_left_out)
            draw_histogram(grid[line, line], self._view(self.features[[line]]))
        # Above the diagonal there is room.
        host.set_title(self._title(n_left_out), loc="right")
        if is_named:
            handles, labels = grid[0, 0].get_legend_handles_labels()
            host.legend(handles, labels, loc="upper right", title=_TITLE_OF_LEGEND, fontsize="small")
        return grid

    def _title(self, n_left_out: int) -> str:
        n_components = len(self.estimator.weights_)
        what = f"{n_components} {self.estimator.covariance_type} component{'s' if n_components > 1 else ''}"
        if self.kind == "uncertainty":
            what = "Uncertainty 1 − max p"
        elif self.kind == "density":
            what = "Regions of highest density"
        if self.rows is not None:
            what += f", {len(self.rows.values):,} rows"
        return f"{what}\n({n_left_out:,} lack a value that is shown)" if n_left_out else what


def _names_of(estimator: Any) -> Names:
    """The names of the features, or their numbers where they have none; ``NotFittedError`` before a fit."""
    attributes = estimator._fitted()
    numbers = [f"feature {feature}" for feature in range(np.shape(attributes["means_"])[1])]
    names: Names = attributes.get("feature_names_in_", np.array(numbers, np.object_))
    return names


def _kind_of(kind: Kind | None, n_features: int, chosen: NDArray[np.intp] | None) -> Kind:
    """The kind that was asked for, where it can show so many features, or the one that suits them."""
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind should be one of {', '.join(map(repr, KINDS))}; got {kind!r}.")
    n_shown = n_features if chosen is None else len(chosen)
    if kind == "path":
        return kind
    if kind is None and (n_shown <= _MOST_PAIRED_FEATURES or chosen is None):
        by_number: dict[int, Kind] = {1: "histogram", 2: "classification"}
        return by_number.get(n_shown, "pairs" if n_shown <= _MOST_PAIRED_FEATURES else "classification")
    if kind == "histogram" and n_shown != 1:
        raise ValueError(f"kind='histogram' shows one feature of {n_shown}: say which by features=0, or by its name.")
    if kind in _OF_TWO_FEATURES and (n_shown == 1 or (chosen is not None and n_shown != 2)):
        raise ValueError(f"kind={kind!r} shows two features; got {n_shown}. Of one there is kind='histogram'.")
    if kind in (None, "pairs") and not 2 <= n_shown <= _MOST_PAIRED_FEATURES:
        raise ValueError(f"Pairs are of 2 to {_MOST_PAIRED_FEATURES} features; got {n_shown}: name some by features.")
    return kind or "pairs"


def _draw_path_of(axes: Axes, estimator: Any) -> None:
    attributes = estimator._fitted()
    best = list(attributes.get("lower_bounds_", ()))
    if not best:
        raise ValueError("kind='path' needs a fit of one iteration at least; this mixture was loaded or set by hand.")
    starts: dict[int, list[float]] = {}
    for step in attributes.get("history_", ()):
        starts.setdefault(step.restart, []).append(step.lower_bound)
    draw_path(axes, best, [path for path in starts.values() if path != best])
    axes.set_xlabel("iteration")
    axes.set_ylabel(f"{objective_of(attributes)} per row")
    axes.set_title(f"{len(best)} iterations, {'converged' if attributes['converged_'] else 'not converged'}")
    if len(starts) > 1:
        axes.legend(loc="lower right", fontsize="small")


def plot(
    self: Any,
    X: "ArrayLike | None" = None,
    *,
    features: "ArrayLike | None" = None,
    kind: Kind | None = None,
    sample_weight: "ArrayLike | None" = None,
    ax: object = None,
) -> MixtureDisplay:
    """Draw the mixture, and rows: needs matplotlib, which ``pip install 'fastgmm[plot]'`` brings.

    Ellipses are of one and two standard deviations. Up to 5,000 rows are markers; more are an image, whose bins are the
    more opaque the more rows fall into them.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), optional
        Rows to show. Those that lack a value of what is shown are left out, and the title counts them. Without X the
        components alone are drawn.
    features : int, str, or array-like of shape (n_shown,), optional
        Numbers of features, counted from 0, or their names. By default all, if the kind shows so many; a kind that
        shows two features then shows the two directions in which components differ most: those with the largest
        scatter between components in units of that within them [1]_.
    kind : {'classification', 'uncertainty', 'density', 'pairs', 'histogram', 'path'}, optional
        ``'classification'``: two features, in the colors of the most probable components. ``'uncertainty'``: rows
        are the larger, or of many rows bins the darker, the larger 1 − max p is. ``'density'``: the smallest regions
        that hold 25, 50, 75 and 95 % of all rows of the mixture. ``'pairs'``: up to six features, each with each, and
        for itself on the diagonal. ``'histogram'``: one feature, with the densities of the components, their sum, and
        the points where the most probable component changes. ``'path'``: the likelihood of every iteration of the fit.
        By default ``'histogram'`` of one feature, ``'pairs'`` of three to six, else ``'classification'``.
    sample_weight : array-like of shape (n_samples,), optional
        Rows count so much in bars and bins, and have markers of such areas, but for uncertainty. Those of weight 0 are
        not shown.
    ax : matplotlib Axes, optional
        Where to draw; in a figure of its own by default, of which pyplot knows nothing.

    Returns
    -------
    MixtureDisplay
        Notebooks show it; ``figure_.savefig("mixture.png")`` writes a file.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    NotFittedError
    ValueError
        As ``predict``; for features that are not there, and for a kind that cannot show so many.

    References
    ----------
    .. [1] R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7 (1936).

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> gm = GaussianMixture.from_parameters([0.5, 0.5], [[0.0, 0.0], [4.0, 4.0]], [1.0, 1.0], "spherical")
    >>> gm.plot([[0.1, -0.3], [4.2, 3.0]]).axes_.get_title()
    '2 spherical components, 2 rows'
    >>> gm.plot(features=0).kind
    'histogram'
    """
    return MixtureDisplay.from_estimator(self, X, features=features, kind=kind, sample_weight=sample_weight, ax=ax)
