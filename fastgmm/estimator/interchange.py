"""Fitted estimators to and from plain parameters, scikit-learn's estimator, and model files; and to ONNX.

``to_sklearn``, ``to_onnx`` and ``save`` are methods of the estimator.
"""

from collections.abc import Mapping
from copy import copy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from fastgmm.families import FAMILIES, name_of, options_of_name
from fastgmm.families.check import check_parameters
from fastgmm.files.model_file import SavedModel, save_model
from fastgmm.files.onnx_file import Precision, onnx_model
from fastgmm.files.plain import plain, with_prior
from fastgmm.fit.options import OPTIONS, Option
from fastgmm.machine.waiting import attended
from fastgmm.machine.whole_file import AnyPath
from fastgmm.model.attributes import (
    ARRAYS,
    completed,
    has_noise,
    has_parameters,
    no_history,
    parameter_attributes,
    sound_parameters_of,
    work_of_matrices,
    work_on,
)
from fastgmm.model.scoring import adopt, scorer_of
from fastgmm.parameters import Parameters

# What a scikit-learn estimator and ours have in common.
_SHARED_OPTIONS = tuple(name for name, option in OPTIONS.items() if option.in_sklearn)
_SHARED_RESULTS = ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_", "feature_names_in_")
_SAVED_RESULTS = (
    "converged_",
    "stop_reason_",
    "n_iter_",
    "lower_bound_",
    "lower_bounds_",
    "degenerate_components_",
    "prior_",
    "n_fixed_parameters_",
    "n_missing_",
    "noise_weight_",
    "noise_log_volume_",
    "noise_box_",
)

Estimator = TypeVar("Estimator")


def from_parameters(
    cls: type[Estimator],
    weights: ArrayLike,
    means: ArrayLike,
    covariances: ArrayLike,
    covariance_type: str = "full",
    **options: Any,
) -> Estimator:
    """A fitted estimator with the given parameters.

    Parameters
    ----------
    weights : array-like of shape (n_components,)
    means : array-like of shape (n_components, n_features)
    covariances : array-like
        In the shape of the family.
    covariance_type : str, default='full'
    **options
        Further constructor parameters.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    ValueError
        Where shapes disagree, weights do not sum to 1, or a covariance is not positive definite.

    Examples
    --------
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture.from_parameters([1.0], [[0.0, 0.0]], [[4.0, 25.0]], "diag").precisions_cholesky_
    array([[0.5, 0.2]])
    """

    shape = np.shape(covariances)
    rank = options.get("rank", shape[-1] - 1 if len(shape) == 3 else 1)

    def work() -> tuple[Parameters, dict[str, Any]]:
        parameters = check_parameters(weights, means, covariances, name_of(covariance_type, rank))
        return parameters, parameter_attributes(parameters)

    return _fitted(cls, *attended(work, work_on(covariances)), options)


def _fitted(
    cls: type[Estimator], parameters: Parameters, attributes: dict[str, Any], options: Mapping[str, Any]
) -> Estimator:
    """An estimator that has the attributes of a fit, and says that it has no history but for what they say."""
    build: Any = cls
    named: dict[str, Any] = {**options_of_name(parameters.covariance_type), **options}
    estimator: Estimator = build(parameters.n_components, **named)
    adopt(estimator, no_history() | attributes)
    return estimator


def to_sklearn(self: Any) -> Any:
    """The scikit-learn estimator with the same parameters and fitted attributes.

    Returns
    -------
    sklearn.mixture.GaussianMixture

    Raises
    ------
    ImportError
        Where scikit-learn is not installed.
    ValueError
        Where an option is unknown to scikit-learn, or attributes set by hand make no mixture.

    Notes
    -----
    Of mclust's models scikit-learn knows four. A mixture of another one becomes one of the smallest family there that
    holds its covariances, where it says the same of any rows but would fit others.

    Examples
    --------
    >>> import sklearn.mixture
    >>> from fastgmm import GaussianMixture
    >>> theirs = GaussianMixture().fit([[0.0], [2.0]]).to_sklearn()
    >>> type(theirs) is sklearn.mixture.GaussianMixture, theirs.predict([[3.0]])
    (True, array([0]))
    """
    try:
        from sklearn.mixture import GaussianMixture as SklearnMixture
    except ImportError as error:
        raise ImportError("to_sklearn needs scikit-learn: pip install 'fastgmm[sklearn]'") from error
    attributes = vars(self)  # one look: another thread may be refitting it
    options = {name: attributes[name] for name in _SHARED_OPTIONS}
    _refuse_noise(attributes, "scikit-learn knows")
    if isinstance(options["reg_covar"], str) or callable(options["init_params"]):
        raise ValueError("scikit-learn knows neither reg_covar='relative' nor a callable init_params")
    if (family := FAMILIES.get(options["covariance_type"])) is not None:
        if family.rank is not None:
            raise ValueError(
                f"scikit-learn knows no covariance_type={options['covariance_type']!r}; of few features, mixtures of "
                "matrices say the same: GaussianMixture.from_parameters(gm.weights_, gm.means_, matrices).to_sklearn()"
            )
        if family.constrain is not None and not has_parameters(attributes):
            raise ValueError(f"scikit-learn cannot fit covariance_type={family.name!r}; it takes a fitted mixture only")
        options["covariance_type"] = family.kernel
    if options["init_params"] == "auto":
        options["init_params"] = "kmeans"  # the nearest that it has
    result = SklearnMixture(**options)
    if has_parameters(attributes):
        vars(result).update(_shared_attributes(attributes))
    return result


def _refuse_noise(attributes: Mapping[str, Any], who: str) -> None:
    if has_noise(attributes):
        raise ValueError(f"{who} no noise. The components alone are GaussianMixture.from_parameters of their arrays.")


def from_sklearn(cls: type[Estimator], estimator: object, **options: Any) -> Estimator:
    """The fastgmm estimator of a scikit-learn one, fitted where that is.

    Parameters
    ----------
    estimator : sklearn.mixture.GaussianMixture
        Attributes may have been set there by hand: what is missing follows from the others.
    **options
        Constructor parameters in place of its own, and those that it does not have.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    TypeError
        For an estimator of another kind.
    ValueError
        Where the options name another model than was fitted, or attributes set by hand make no mixture.

    Examples
    --------
    >>> import sklearn.mixture
    >>> from fastgmm import GaussianMixture
    >>> theirs = sklearn.mixture.GaussianMixture().fit([[0.0], [2.0]])
    >>> GaussianMixture.from_sklearn(theirs, n_threads=1).means_
    array([[1.]])
    """
    lacking = [name for name in _SHARED_OPTIONS if not hasattr(estimator, name)]
    if lacking:
        raise TypeError(
            f"from_sklearn takes a sklearn.mixture.GaussianMixture; {type(estimator).__name__} has no {lacking[0]!r}. "
            f"Make a mixture of known parameters by {cls.__name__}.from_parameters(weights, means, covariances)."
        )
    shared = {name: getattr(estimator, name) for name in _SHARED_OPTIONS}
    attributes = vars(estimator)
    is_fitted = has_parameters(attributes)
    for name in ("n_components", "covariance_type"):
        if is_fitted and options.get(name, shared[name]) != shared[name]:
            raise ValueError(f"a fitted estimator keeps its {name}, {shared[name]!r}; got {options[name]!r}")
    result = cls(**(shared | options))
    if is_fitted:
        fitted = no_history() | _shared_attributes(attributes)
        if "converged_" in attributes:
            fitted["stop_reason_"] = "converged" if attributes["converged_"] else "max_iter"
        if np.asarray(attributes["means_"]).dtype == np.float32:
            fitted |= attended(
                lambda: parameter_attributes(sound_parameters_of(attributes)), work_of_matrices(attributes)
            )
        adopt(result, fitted)
    return result


def _shared_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The fitted attributes that a scikit-learn estimator has too, copied, be they set by hand."""

    def work() -> dict[str, Any]:
        fitted = completed(attributes)
        return {name: copy(fitted[name]) for name in (*ARRAYS, *_SHARED_RESULTS) if name in fitted}

    return attended(work, work_of_matrices(attributes))


def to_onnx(self: Any, dtype: Precision = "float64") -> Any:
    """The model as a graph of ONNX, for runtimes in other languages; ``onnx.save`` writes it.

    Its input ``X`` has rows of n_features numbers, any number of them. Its outputs have the names that skl2onnx gives
    them: ``label`` (int64) is what ``predict`` returns, ``probabilities`` what ``predict_proba``, and
    ``score_samples``. The arithmetic is about the means, so that no digits are lost where rows lie far from zero.

    Parameters
    ----------
    dtype : {'float64', 'float32'}, default='float64'
        Of X, of what is computed, and of the last two outputs. Rows of float32 have 7 digits: near 1,000,000 they are
        whole multiples of 1/16. What is computed of them has as many digits as there.

    Returns
    -------
    onnx.ModelProto
        Of operator set 17. Names of features are in its metadata, as JSON under ``feature_names``.

    Raises
    ------
    NotFittedError
    ImportError
        Where onnx is not installed.
    ValueError
        For another dtype; for float32 where it cannot hold means or the squares of deviations.

    Notes
    -----
    The graph knows no missing values: a NaN makes all outputs of its row meaningless. Where a joint log-density is
    below the range of numbers it is the smallest of these, −1.8e308 or −3.4e38, where ``score_samples`` has −∞.

    Examples
    --------
    >>> import onnx
    >>> from fastgmm import GaussianMixture
    >>> graph = GaussianMixture(2, random_state=0).fit([[0.0], [1.0], [8.0], [9.0]]).to_onnx().graph
    >>> [output.name for output in graph.output]
    ['label', 'probabilities', 'score_samples']
    """
    if dtype not in ("float64", "float32"):
        raise ValueError(f"dtype must be 'float64' or 'float32'; got {dtype!r}")
    attributes = self._fitted()
    _refuse_noise(attributes, "a graph of ONNX has")
    scorer = scorer_of(attributes)
    scorer = scorer.in_matrices()
    log_constants, means = scorer.in_double[:2]
    if dtype == "float32" and (scorer.in_single is None or np.abs(means).max() > np.finfo(np.float32).max):
        raise ValueError(
            "float32 cannot hold the means, or the squares of the deviations: take dtype='float64', or other units."
        )
    names = attributes.get("feature_names_in_")
    return attended(
        lambda: onnx_model(scorer.family, log_constants, means, scorer.root, names, dtype), work_on(scorer.root)
    )


def save(self: Any, path: AnyPath) -> None:
    """Write the fitted model to a file that :func:`fastgmm.load` reads; the file appears whole or not at all.

    It keeps options, results and parameters, but not what :func:`fastgmm.load` says belongs to the process.

    Parameters
    ----------
    path : str or path-like
        It is used as it is: no suffix is added.

    Raises
    ------
    NotFittedError
    ValueError
        Where attributes set by hand make no mixture.
    OSError
        Where the file cannot be written; what stood there before stays.

    Examples
    --------
    >>> import tempfile, fastgmm
    >>> gm = fastgmm.GaussianMixture().fit([[0.0], [2.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gm.save(f"{folder}/model.npz")
    ...     fastgmm.load(f"{folder}/model.npz").score([[1.0]]) == gm.score([[1.0]])
    True
    """
    attributes = self._fitted()
    save_model(path, attended(lambda: to_saved_model(attributes), work_of_matrices(attributes)))


def to_saved_model(attributes: Mapping[str, Any], declared: Mapping[str, Option] = OPTIONS) -> SavedModel:
    """What a model file holds of a fitted estimator; ``ValueError`` where attributes set by hand do not agree."""
    names = attributes.get("feature_names_in_")
    known = {**no_history(), **attributes}
    options = {name: plain(known[name]) for name, option in declared.items() if option.is_saved and name in known}
    results = {name: plain(known[name]) for name in _SAVED_RESULTS}
    return SavedModel(
        parameters=sound_parameters_of(attributes),
        options={name: value for name, value in options.items() if value is not None},
        fit={name.rstrip("_"): value for name, value in results.items() if value is not None},
        feature_names=None if names is None else tuple(names),
        dtype="float64",
    )


def _as(default: Any, value: Any) -> Any:
    """A tuple where the default is one: JSON knows none."""
    return tuple(value) if isinstance(default, tuple) and isinstance(value, list) else value


def from_saved_model(cls: type[Estimator], model: SavedModel, declared: Mapping[str, Option] = OPTIONS) -> Estimator:
    """The estimator that a model file describes."""
    parameters, options, results = model.parameters, with_prior(model.options), with_prior(model.fit)
    saved = {name for name, option in declared.items() if option.is_saved} - {"n_components", "covariance_type"}
    known = {name: _as(declared[name].default, value) for name, value in options.items() if name in saved}
    attributes = attended(lambda: parameter_attributes(parameters), work_on(parameters.covariances))
    for name, default in no_history().items():
        if name in _SAVED_RESULTS and name.rstrip("_") in results:
            attributes[name] = _as(default, results[name.rstrip("_")])
    if attributes.get("noise_box_") is not None:
        attributes["noise_box_"] = np.array(attributes["noise_box_"])
    if model.feature_names is not None:
        attributes["feature_names_in_"] = np.array(model.feature_names, dtype=object)
    return _fitted(cls, parameters, attributes, known)
