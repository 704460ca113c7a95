"""scikit-learn's metadata routing as functions: which methods ask for weights and labels when others pass them on.

``GaussianMixture`` and ``MixtureRegressor`` have them as methods: the first argument is the estimator. It keeps what
was asked as plain values, so that a pickle of it needs no scikit-learn, which is imported by calls of these functions
only.
"""

import inspect
from typing import Any, TypeVar

Estimator = TypeVar("Estimator")

# ``UNCHANGED`` of ``sklearn.utils.metadata_routing``.
_UNCHANGED = "$UNCHANGED$"
_METHODS = ("fit", "partial_fit", "score")
# The attribute that keeps what was asked of each method.
_KEPT = {"sample_weight": "_sample_weight_requests", "labels": "_labels_requests", "errors": "_errors_requests"}


def get_metadata_routing(estimator: object) -> Any:
    """What ``fit``, ``partial_fit`` and ``score`` ask pipelines and searches for: scikit-learn's protocol.

    Returns
    -------
    sklearn.utils.metadata_routing.MetadataRequest

    Examples
    --------
    >>> import sklearn
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture().get_metadata_routing().fit.requests
    {'sample_weight': None, 'labels': None, 'errors': None}
    """
    from sklearn.utils.metadata_routing import MetadataRequest

    requests = MetadataRequest(owner=type(estimator).__name__)
    for method, names in _requestable(estimator).items():
        for name in names:
            alias = vars(estimator).get(_KEPT[name], {}).get(method)
            getattr(requests, method).add_request(param=name, alias=alias)
    return requests


def keep_requests(estimator: object, requests: Any) -> None:
    """The counterpart of ``get_metadata_routing``: what it gave, perhaps of another estimator, is this one's."""
    attributes = vars(estimator)
    for name, kept in _KEPT.items():
        methods = [method for method, names in _requestable(estimator).items() if name in names]
        asked = {method: getattr(requests, method).requests.get(name) for method in methods}
        attributes.pop(kept, None)
        if any(alias is not None for alias in asked.values()):
            attributes[kept] = asked


def _requestable(estimator: object) -> dict[str, list[str]]:
    """What can be asked for, by method: weights and labels, where that takes any."""
    methods = {name: getattr(type(estimator), name) for name in _METHODS if hasattr(estimator, name)}
    return {
        name: [each for each in inspect.signature(method).parameters if each in _KEPT]
        for name, method in methods.items()
    }


def set_fit_request(
    estimator: Estimator,
    *,
    sample_weight: bool | str | None = _UNCHANGED,
    labels: bool | str | None = _UNCHANGED,
    errors: bool | str | None = _UNCHANGED,
) -> Estimator:
    """Say whether a pipeline or a search hands ``sample_weight``, ``labels`` and ``errors`` on to ``fit``.

    Parameters
    ----------
    sample_weight : bool, str or None
        Whether it does; a string is the name under which it is given weights for this estimator. None, as at first,
        makes weights an error there.
    labels, errors : bool, str or None
        In the same way. What scales features in a pipeline does not scale their errors.

    Returns
    -------
    GaussianMixture
        The estimator itself.

    Raises
    ------
    RuntimeError
        Where scikit-learn's metadata routing is not enabled.

    Examples
    --------
    >>> import sklearn
    >>> from fastgmm import GaussianMixture
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     GaussianMixture().set_fit_request(sample_weight=True).get_metadata_routing().fit.requests
    {'sample_weight': True, 'labels': None, 'errors': None}
    """
    return _set_request(estimator, "fit", sample_weight=sample_weight, labels=labels, errors=errors)


def set_fit_request_of_weights(estimator: Estimator, *, sample_weight: bool | str | None = _UNCHANGED) -> Estimator:
    """Say whether a pipeline or a search hands ``sample_weight`` on to ``fit``.

    Parameters
    ----------
    sample_weight : bool, str or None
        Whether it does; a string is the name under which it is given weights for this estimator. None, as at first,
        makes weights an error there.

    Returns
    -------
    object
        The estimator itself.

    Raises
    ------
    RuntimeError
        Where scikit-learn's metadata routing is not enabled.

    Examples
    --------
    >>> import sklearn
    >>> from fastgmm import MixtureRegressor
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     MixtureRegressor().set_fit_request(sample_weight=True).get_metadata_routing().fit.requests
    {'sample_weight': True}
    """
    return _set_request(estimator, "fit", sample_weight=sample_weight)


def set_partial_fit_request(estimator: Estimator, *, sample_weight: bool | str | None = _UNCHANGED) -> Estimator:
    """Say whether others hand ``sample_weight`` on to ``partial_fit``.

    Parameters
    ----------
    sample_weight : bool, str or None
        As for ``set_fit_request``.

    Returns
    -------
    GaussianMixture
        The estimator itself.

    Raises
    ------
    RuntimeError
        Where scikit-learn's metadata routing is not enabled.

    Examples
    --------
    >>> import sklearn
    >>> from fastgmm import GaussianMixture
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     GaussianMixture().set_partial_fit_request(sample_weight=True).get_metadata_routing().partial_fit.requests
    {'sample_weight': True}
    """
    return _set_request(estimator, "partial_fit", sample_weight=sample_weight)


def set_score_request(
    estimator: Estimator,
    *,
    sample_weight: bool | str | None = _UNCHANGED,
    errors: bool | str | None = _UNCHANGED,
) -> Estimator:
    """Say whether a pipeline or a search hands ``sample_weight`` and ``errors`` on to ``score``.

    Parameters
    ----------
    sample_weight, errors : bool, str or None
        As for ``set_fit_request``.

    Returns
    -------
    GaussianMixture
        The estimator itself.

    Raises
    ------
    RuntimeError
        Where scikit-learn's metadata routing is not enabled.

    Examples
    --------
    >>> import sklearn
    >>> from fastgmm import GaussianMixture
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     GaussianMixture().set_score_request(sample_weight="counts").get_metadata_routing().score.requests
    {'sample_weight': 'counts', 'errors': None}
    """
    return _set_request(estimator, "score", sample_weight=sample_weight, errors=errors)


def set_score_request_of_weights(estimator: Estimator, *, sample_weight: bool | str | None = _UNCHANGED) -> Estimator:
    """Say whether a pipeline or a search hands ``sample_weight`` on to ``score``.

    Parameters
    ----------
    sample_weight : bool, str or None
        As for ``set_fit_request``.

    Returns
    -------
    object
        The estimator itself.

    Raises
    ------
    RuntimeError
        Where scikit-learn's metadata routing is not enabled.

    Examples
    --------
    >>> import sklearn
    >>> from fastgmm import MixtureRegressor
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     MixtureRegressor().set_score_request(sample_weight=True).get_metadata_routing().score.requests
    {'sample_weight': True}
    """
    return _set_request(estimator, "score", sample_weight=sample_weight)


def _set_request(estimator: Estimator, method: str, **aliases: bool | str | None) -> Estimator:
    from sklearn import get_config

    if not get_config()["enable_metadata_routing"]:
        raise RuntimeError(
            "This method is only available when metadata routing is enabled. You can enable it using "
            "sklearn.set_config(enable_metadata_routing=True)."
        )
    requests = get_metadata_routing(estimator)
    for name, alias in aliases.items():
        if not (isinstance(alias, str) and alias == _UNCHANGED):
            getattr(requests, method).add_request(param=name, alias=alias)
    keep_requests(estimator, requests)
    return estimator
