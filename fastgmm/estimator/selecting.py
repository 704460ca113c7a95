"""``select``: the choice among numbers of components and covariance families, and what came of it."""

import math
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgmm.data.blocks.block import Blocks, is_blocks
from fastgmm.data.origin import plus_origin
from fastgmm.data.validation import feature_names
from fastgmm.estimator.calls import SWEEPS_OF_A_FIT, rows_of_a_start
from fastgmm.estimator.mixture import GaussianMixture
from fastgmm.estimator.of_blocks import column_names, require_nothing_beside
from fastgmm.estimator.ranges import checked_criterion, checked_families, checked_numbers, number_of_features
from fastgmm.families import options_of_name
from fastgmm.fit.options import RegCovar, check_options
from fastgmm.kernels import BackendName
from fastgmm.kernels.contract import work_of
from fastgmm.machine.waiting import attended, in_caller
from fastgmm.model.attributes import fitted_attributes
from fastgmm.model.scoring import adopt
from fastgmm.parameters import FloatArray, Names
from fastgmm.selection.candidate import Candidate, table_of
from fastgmm.selection.criteria import CriterionName
from fastgmm.selection.doubts import doubts_of, is_at_edge
from fastgmm.selection.fits import Range
from fastgmm.selection.search import Chosen, Manner, search_blocks, search_rows
from fastgmm.show.candidates import candidates_text
from fastgmm.show.progress import show_candidates
from fastgmm.show.selection_display import SelectionDisplay

_NAME = "select"


@dataclass(frozen=True, eq=False)
class Selection:
    """What :func:`fastgmm.select` found.

    Attributes
    ----------
    best_ : GaussianMixture
        Fitted to all rows.
    best_params_ : dict
        ``n_components`` and ``covariance_type`` of the best.
    table_ : structured ndarray of shape (n_candidates,)
        A line for each candidate, the best first: ``covariance_type, n_components, n_parameters, log_likelihood,
        entropy, bic, aic, icl, nec, cv, criterion, uncertainty, status``. pandas and Polars make frames of it.
        ``status`` is ``'exact'`` of a fit to all rows; ``'estimated'`` where a sample told that it would not be the
        best, with ``uncertainty``, where known, the standard error of the difference to the best of the samples;
        ``'hopeless'`` where a fit was given up on its way, since it gained too little; ``'degenerate'`` where in every
        fit a component collapsed; ``'skipped'`` where no time was left.
    at_edge_ : bool
        Whether the best has the most components that were allowed: more may be better still.
    criterion : str or callable
        What it was chosen by. A selection can be pickled where this can.
    was_cut_short_ : bool
        Whether the deadline passed before all was tried.
    """

    best_: GaussianMixture
    best_params_: dict[str, Any]
    table_: NDArray[Any]
    at_edge_: bool
    criterion: "CriterionName | Callable[[Candidate], float]"
    was_cut_short_: bool
    _models: dict[tuple[str, int], GaussianMixture]

    def model(self, covariance_type: str, n_components: int) -> GaussianMixture:
        """Any candidate that has a fit.

        Parameters
        ----------
        covariance_type : str
            As the table has it: ``'full'``, or with its rank ``'factor(2)'``.
        n_components : int

        Returns
        -------
        GaussianMixture
            Where the table says ``'exact'``, fitted to all rows. Else to a sample, or given up on the way:
            ``set_params(warm_start=True, tol=...).fit(X)`` goes on from there.

        Raises
        ------
        KeyError
            Where there is no such candidate, or none of its fits was sound.

        Examples
        --------
        >>> import fastgmm
        >>> X = [[0.0], [1.0], [2.0], [3.0], [10.0], [11.0], [12.0], [13.0]]
        >>> fastgmm.select(X, [1, 2], "tied", random_state=0).model("tied", 1).means_
        array([[6.5]])
        """
        try:
            return self._models[covariance_type, n_components]
        except KeyError:
            raise KeyError(
                f"no sound fit of {n_components} {covariance_type} components is among the candidates"
            ) from None

    def top(self, n: int = 3) -> NDArray[Any]:
        """The first lines of the table.

        Parameters
        ----------
        n : int, default=3

        Returns
        -------
        structured ndarray

        Examples
        --------
        >>> import fastgmm
        >>> X = [[0.0], [1.0], [2.0], [3.0], [10.0], [11.0], [12.0], [13.0]]
        >>> fastgmm.select(X, [1, 2], "tied", random_state=0).top(1)["n_components"]
        array([2])
        """
        return self.table_[:n]

    def plot(self, ax: object = None, *, criterion: str | None = None) -> SelectionDisplay:
        """The criterion against the number of components, as :class:`fastgmm.SelectionDisplay` draws it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            In a figure of its own by default.
        criterion : str, optional
            Another one of the table.

        Returns
        -------
        SelectionDisplay

        Raises
        ------
        ImportError
            Where matplotlib is not installed.

        Examples
        --------
        >>> import fastgmm
        >>> X = [[0.0], [1.0], [2.0], [3.0], [10.0], [11.0], [12.0], [13.0]]
        >>> fastgmm.select(X, [1, 2], "tied", random_state=0).plot().axes_.get_xlabel()
        'number of components'
        """
        return SelectionDisplay.from_selection(self, criterion=criterion, ax=ax)

    def __str__(self) -> str:
        return candidates_text(self.table_, self.criterion, self.at_edge_, self.was_cut_short_)

    __repr__ = __str__


def select(
    X: "ArrayLike | Blocks",
    n_components: "int | Iterable[int]" = 10,
    covariance_type: "str | Iterable[str]" = "all",
    *,
    rank: "int | Iterable[int]" = 1,
    criterion: "CriterionName | Callable[[Candidate], float]" = "bic",
    sample_weight: "ArrayLike | None" = None,
    reg_covar: RegCovar = 1e-6,
    exact: bool = False,
    deadline: float | None = None,
    progress: bool = False,
    random_state: int | np.random.RandomState | None = None,
    n_threads: int | None = None,
    backend: BackendName = "auto",
) -> Selection:
    """Choose the number of components and the covariance family.

    Candidates help each other: one partition is the start of all families, the fit with one component more is a start
    by its cheapest merger, and the full family's fit is one for the others. Each climbs until what is left to gain is
    about a unit of the criterion, the best far below one; a fit that stops at the default ``tol`` may lack thousands of
    units where rows are many. Of more than 2,000 rows a candidate is given up on its way once it gains so little that
    it is not likely to become the best; it goes on where it is among the nearest in the end. Of many rows (twice
    16,384, or 20 for each parameter of the largest candidate) all candidates are fitted to a sample, and judged by it
    and by another one, and those alone that may still be the best to all rows.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), or blocks
        NaN is missing. Rows beyond memory come as ``fastgmm.blocks_of(...)``; without labels.
    n_components : int or iterable of int, default=10
        A number n means 1 to n. More than there are rows are left out.
    covariance_type : {'all', 'mclust'} or a family or an iterable of families, default='all'
        All of full, tied, diag and spherical; or the models of mclust, of which four are these: fourteen, or E and V of
        a single feature.
    rank : int or iterable of int, default=1
        Of ``'factor'`` and ``'ppca'``, which are tried with each of them.
    criterion : {'bic', 'aic', 'icl', 'nec', 'cv'} or callable, default='bic'
        The lowest is the best. BIC asks what describes the distribution [1]_; ICL, which R's mclust computes alike,
        adds the uncertainty of the clusters [2]_; NEC is of that alone [3]_; ``'cv'`` is −2 log-likelihood of rows
        that were left out, in five folds, or where rows are many of the second sample. A callable gets a candidate,
        with ``n_components, covariance_type, n_parameters, n_rows, log_likelihood, entropy, bic, aic, icl``.
    sample_weight : array-like of shape (n_samples,), optional
        A weight of 0 is the row removed. An integer weight is the row repeated in every likelihood and criterion; but
        how many rows there are, and whether a component has enough of them, is counted without weights.
    reg_covar : float or 'relative', default=1e-6
        Added to the variances of every component, as in a fit.
    exact : bool, default=False
        Fit every candidate to all rows to the end, however many they are.
    deadline : float, optional
        Seconds after which the best so far is returned. The largest numbers of components are tried first.
    progress : bool, default=False
        Show a bar of the candidates.
    random_state : int, RandomState or None, default=None
        Seeds the samples and k-means.
    n_threads : int, optional
        It changes no bit of the result.
    backend : {'auto', 'c', 'numba', 'numpy'}, default='auto'

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        As ``GaussianMixture.fit``; for another range, family or criterion than those above; where no candidate has
        a fit in which every component is held by more than a few distinct points; and where the criterion is finite
        for none.

    Warns
    -----
    SelectionAtEdgeWarning
        Where the best has the most components that were allowed, and there are others.
    SelectionIncompleteWarning
        Where the deadline passed before all was tried, and where no fit of a family was sound.

    Notes
    -----
    Of real data in the millions BIC seldom has a lowest point: it falls with every component. ICL, or fewer components
    merged into clusters (:meth:`fastgmm.GaussianMixture.clusters`), say more of groups then.

    References
    ----------
    .. [1] G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6 (1978).
    .. [2] C. Biernacki, G. Celeux and G. Govaert, "Assessing a mixture model for clustering with the integrated
       completed likelihood", IEEE Transactions on Pattern Analysis and Machine Intelligence 22 (2000).
    .. [3] C. Biernacki, G. Celeux and G. Govaert, "An improvement of the NEC criterion for assessing the number of
       clusters in a mixture model", Pattern Recognition Letters 20 (1999).

    Examples
    --------
    >>> import fastgmm
    >>> from fastgmm.data.datasets import load_old_faithful
    >>> chosen = fastgmm.select(load_old_faithful(), 6, random_state=0)
    >>> chosen.best_params_
    {'n_components': 3, 'covariance_type': 'tied'}
    >>> chosen.top(2)["bic"].round(1)
    array([2314.3, 2320.2])
    """
    return choose(
        _NAME,
        X,
        n_components,
        covariance_type,
        rank=rank,
        criterion=criterion,
        sample_weight=sample_weight,
        reg_covar=reg_covar,
        exact=exact,
        deadline=deadline,
        progress=progress,
        random_state=random_state,
        n_threads=n_threads,
        backend=backend,
    )


def choose(
    caller: str,
    X: "ArrayLike | Blocks",
    n_components: Any,
    covariance_type: Any,
    *,
    rank: Any = 1,
    criterion: Any,
    sample_weight: "ArrayLike | None",
    exact: bool,
    deadline: float | None,
    progress: bool = False,
    **how: Any,
) -> Selection:
    """``select`` for somebody, whose name errors give; ``how`` are options of mixtures."""
    began = time.perf_counter()
    check_options(how | {"deadline": deadline}, caller)
    wanted = Range(
        checked_numbers(n_components, caller),
        checked_families(covariance_type, caller, number_of_features(X), rank),
        checked_criterion(criterion, caller),
        math.inf if deadline is None else began + deadline,
    )
    manner = Manner(how["reg_covar"], how["backend"], how["n_threads"], how["random_state"], all_rows=bool(exact))
    with show_candidates(len(wanted.n_components) * len(wanted.families), is_wanted=progress) as show:
        # Whoever sees candidates does so in the caller's thread.
        watched = replace(manner, observer=None if show is None else partial(in_caller, show))
        chosen, names, wanted = _chosen(caller, X, wanted, watched, sample_weight)
    return _selection(chosen, names, wanted, criterion, how)


def _chosen(
    caller: str, X: "ArrayLike | Blocks", wanted: Range, manner: Manner, sample_weight: "ArrayLike | None"
) -> tuple[Chosen, Names | None, Range]:
    """What was chosen, the names of the features, and what it was chosen from: there are rows for no more."""
    if is_blocks(X):
        require_nothing_beside(sample_weight, None)
        if X.form.has_labels:
            raise ValueError(f"{caller} does not take labels: make blocks without a column of labels.")
        return attended(lambda: search_blocks(X, wanted, manner), math.inf), column_names(X.form), wanted
    table = cast("ArrayLike", X)
    names = feature_names(table)
    rows = rows_of_a_start(table, sample_weight, wanted.n_components[0], caller, names)
    possible = replace(wanted, n_components=tuple(k for k in wanted.n_components if k <= rows.n_counted))
    most = possible.n_components[-1]
    operations = SWEEPS_OF_A_FIT * len(possible.n_components) * work_of(sum(rows.shape), rows.shape[1], most)
    return attended(lambda: search_rows(rows, possible, manner), operations), names, possible


def _selection(chosen: Chosen, names: Names | None, wanted: Range, criterion: Any, how: dict[str, Any]) -> Selection:
    origin, best = chosen.facts.rows.origin, chosen.best
    models = {each.name: _estimator(each, origin, names, how) for each in chosen.candidates if each.has_a_model}
    for doubt in doubts_of(chosen, wanted):
        warnings.warn(doubt, stacklevel=4)
    return Selection(
        models[best.name],
        {"n_components": best.n_components, **options_of_name(best.covariance_type)},
        table_of(chosen.candidates, best, wanted.criterion),
        is_at_edge(best, wanted),
        criterion,
        chosen.was_cut_short,
        models,
    )


def _estimator(
    candidate: Candidate, origin: FloatArray | None, names: Names | None, how: dict[str, Any]
) -> GaussianMixture:
    assert candidate.fit is not None
    fit = replace(candidate.fit, parameters=plus_origin(candidate.fit.parameters, origin))
    options: dict[str, Any] = {**options_of_name(candidate.covariance_type), **how}
    estimator = GaussianMixture(candidate.n_components, **options)
    fitted = fitted_attributes(fit, fit.steps)
    adopt(estimator, fitted if names is None else fitted | {"feature_names_in_": names})
    return estimator
