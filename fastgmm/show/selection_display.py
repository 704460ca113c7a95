"""``SelectionDisplay``, in the manner of scikit-learn's displays: a criterion by the number of components."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from fastgmm.parameters import Array
from fastgmm.show.candidates import criterion_name, heading_of
from fastgmm.show.figures import Axes, add_legend, colors_of, new_figure, png_of

_HOLLOW = ("estimated", "hopeless")
_DRAWN = ("exact", *_HOLLOW)
_WORDS = {
    "bic": "BIC (lower is better)",
    "aic": "AIC (lower is better)",
    "icl": "ICL (lower is better)",
    "cv": "cross-validated −2·log-likelihood (lower is better)",
    "nec": "normalized entropy criterion (lower is better)",
}
_MARKERS = "osD^vP*X"


class SelectionDisplay:
    """A criterion of models against their number of components: a line and a marker for each covariance family.

    Hollow markers are of models whose criterion was estimated from some of the rows, or whose fit was given up before
    it had settled, since it gained too little; a star is the best model. A line is broken where no sound fit exists.
    ``from_selection`` makes it of what ``fastgmm.select`` returns.

    Parameters
    ----------
    table : structured ndarray
        A row for each model, with the fields ``covariance_type``, ``n_components``, ``status`` (models that are
        not ``'exact'``, ``'estimated'`` or ``'hopeless'`` are not drawn), and the criterion.
    criterion : str
        The name of its field.
    best : int
        The row of the best model.
    name : str, optional
        What the best was chosen by, where that is not this criterion.

    Attributes
    ----------
    axes_ : matplotlib Axes
    figure_ : matplotlib Figure
        Unless axes were given it is known to no window and not to pyplot.

    Examples
    --------
    >>> import numpy as np
    >>> from fastgmm import SelectionDisplay
    >>> fields = [("covariance_type", "U9"), ("n_components", int), ("bic", float), ("status", "U10")]
    >>> rows = [("full", 1, 30.0, "exact"), ("full", 2, 20.0, "exact"), ("full", 3, 25.0, "estimated")]
    >>> SelectionDisplay(np.array(rows, fields), "bic", 1).plot().axes_.get_title()
    'Best of 3 models by BIC: 2 full components'
    """

    axes_: Any
    figure_: Any

    def __init__(self, table: Array, criterion: str, best: int, name: str | None = None) -> None:
        self.table = table
        self.criterion = criterion
        self.best = best
        self.name = name

    @classmethod
    def from_selection(cls, selection: object, *, criterion: str | None = None, ax: object = None) -> Self:
        """Draw the result of a selection.

        Parameters
        ----------
        selection : object
            With the attributes ``table_``, ``criterion`` and ``best_params_``.
        criterion : str, optional
            Another criterion of the table than the one that was selected by; the star stays at the best model.
        ax : matplotlib Axes, optional
            Where to draw; in a figure of its own by default.

        Returns
        -------
        SelectionDisplay

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        ValueError
            Where the table has no such criterion.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> import numpy as np
        >>> from fastgmm import SelectionDisplay
        >>> fields = [("covariance_type", "U9"), ("n_components", int), ("bic", float), ("status", "U10")]
        >>> table = np.array([("full", 1, 30.0, "exact"), ("full", 2, 20.0, "exact")], fields)
        >>> best = {"covariance_type": "full", "n_components": 2}
        >>> selection = SimpleNamespace(table_=table, criterion="bic", best_params_=best)
        >>> SelectionDisplay.from_selection(selection).best
        1
        """
        told: Any = selection
        chosen: Mapping[str, Any] = told.best_params_
        is_best = [told.table_[name] == chosen[name] for name in ("covariance_type", "n_components")]
        (best,) = np.flatnonzero(np.logical_and(*is_best))[:1]
        # What a function of the user's says stands in a field of that name.
        selected_by = told.criterion if isinstance(told.criterion, str) else "criterion"
        return cls(told.table_, criterion or selected_by, int(best), criterion_name(told.criterion)).plot(ax)

    def plot(self, ax: object = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; in a figure of its own by default.

        Returns
        -------
        SelectionDisplay
            The same one, with its picture.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        ValueError
            Where the table has no such criterion.

        Examples
        --------
        >>> import numpy as np
        >>> from fastgmm import SelectionDisplay
        >>> fields = [("covariance_type", "U9"), ("n_components", int), ("bic", float), ("status", "U10")]
        >>> SelectionDisplay(np.array([("tied", 4, 30.0, "exact")], fields), "bic", 0).plot().axes_.get_ylabel()
        'BIC (lower is better)'
        """
        kinds = {name: self.table.dtype[name].kind for name in self.table.dtype.names or ()}
        if kinds.get(self.criterion) != "f":
            known = ", ".join(repr(name) for name, kind in kinds.items() if kind == "f")
            raise ValueError(f"The table has no criterion {self.criterion!r}, only {known}.")
        if np.isnan(self.table[self.criterion][self.best]):
            raise ValueError(f"The criterion {self.criterion!r} is known of no model, since it was not asked for.")
        axes: Any = new_figure().add_subplot() if ax is None else ax
        self.figure_, self.axes_ = axes.figure, axes
        families = list(dict.fromkeys(self.table["covariance_type"].tolist()))
        for family, marker, color in zip(families, _markers(len(families)), colors_of(len(families)), strict=True):
            self._draw_family(axes, family, marker, color)
        if np.isin(self.table["status"], _HOLLOW).any():
            axes.plot([], [], "o", markersize=5, color="gray", markerfacecolor="white", label="not finished")
        best = self.table[self.best]
        star = {"marker": "*", "markersize": 18, "color": "gold", "markeredgecolor": "black", "ls": "", "zorder": 4}
        axes.plot([best["n_components"]], [best[self.criterion]], label="best", **star)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("number of components")
        chosen_by = self.name or (self.criterion.upper() if self.criterion in _WORDS else self.criterion)
        is_of_user = self.criterion == "criterion"
        axes.set_ylabel(chosen_by if is_of_user else _WORDS.get(self.criterion, self.criterion))
        axes.set_title(heading_of(self.table, self.best, chosen_by))
        add_legend(axes, "covariances", is_alone=ax is None)
        return self

    def _repr_png_(self) -> bytes:
        """What notebooks show."""
        return png_of(self.figure_)

    def _draw_family(self, axes: Axes, family: str, marker: str, color: Any) -> None:
        rows = self.table[self.table["covariance_type"] == family]
        rows = rows[np.argsort(rows["n_components"], kind="stable")]
        is_drawn = np.isin(rows["status"], _DRAWN)
        n_components, values = rows["n_components"], np.where(is_drawn, rows[self.criterion], np.nan)
        style = {"marker": marker, "color": color, "markersize": 5}
        axes.plot(n_components, values, lw=1.2, label=family, **style)
        is_estimated = np.isin(rows["status"], _HOLLOW)
        axes.plot(n_components[is_estimated], values[is_estimated], ls="", markerfacecolor="white", **style)


def _markers(n_families: int) -> list[str]:
    """One for each family, the first ones again where there are more families than markers."""
    return [_MARKERS[family % len(_MARKERS)] for family in range(n_families)]
