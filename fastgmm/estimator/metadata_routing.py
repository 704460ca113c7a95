"""scikit-learn's metadata routing as functions: which methods ask for ``sample_weight`` when others pass it on.

``GaussianMixture`` has them as methods: the first argument is the estimator. It keeps what was asked as plain values,
so that a pickle of it needs no scikit-learn, which is imported by calls of these functions only.
"""

from typing import Any, TypeVar

Estimator = TypeVar("Estimator")

# ``UNCHANGED`` of ``sklearn.utils.metadata_routing``.
_UNCHANGED = "$UNCHANGED$"
_METHODS = ("fit", "score")


def get_metadata_routing(estimator: object) -> Any:
    """What ``fit`` and ``score`` ask pipelines and searches for: scikit-learn's protocol.

    Returns
    -------
    sklearn.utils.metadata_routing.MetadataRequest

    Examples
    --------
    >>> import sklearn
    >>> from fastgmm import GaussianMixture
    >>> GaussianMixture().get_metadata_routing().fit.requests
    {'sample_weight': None}
    """
    from sklearn.utils.metadata_routing import MetadataRequest

    requests = MetadataRequest(owner=type(estimator).__name__)
    kept = vars(estimator).get("_sample_weight_requests", {})
    for method in _METHODS:
        getattr(requests, method).add_request(param="sample_weight", alias=kept.get(method))
    return requests


def keep_requests(estimator: object, requests: Any) -> None:
    """The counterpart of ``get_metadata_routing``: what it gave, perhaps of another estimator, is this one's."""
    asked = {method: getattr(requests, method).requests.get("sample_weight") for method in _METHODS}
    attributes = vars(estimator)
    attributes.pop("_sample_weight_requests", None)
    if any(alias is not None for alias in asked.values()):
        attributes["_sample_weight_requests"] = asked


def set_fit_request(estimator: Estimator, *, sample_weight: bool | str | None = _UNCHANGED) -> Estimator:
    """Say whether a pipeline or a search hands ``sample_weight`` on to ``fit``.

    Parameters
    ----------
    sample_weight : bool, str or None
        Whether it does; a string is the name under which it is given weights for this estimator. None, as at first,
        makes weights an error there.

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
    {'sample_weight': True}
    """
    return _set_request(estimator, "fit", sample_weight)


def set_score_request(estimator: Estimator, *, sample_weight: bool | str | None = _UNCHANGED) -> Estimator:
    """Say whether a pipeline or a search hands ``sample_weight`` on to ``score``.

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
    ...     GaussianMixture().set_score_request(sample_weight="counts").get_metadata_routing().score.requests
    {'sample_weight': 'counts'}
    """
    return _set_request(estimator, "score", sample_weight)


def _set_request(estimator: Estimator, method: str, sample_weight: bool | str | None) -> Estimator:
    from sklearn import get_config

    if not get_config()["enable_metadata_routing"]:
        raise RuntimeError(
            "This method is only available when metadata routing is enabled. You can enable it using "
            "sklearn.set_config(enable_metadata_routing=True)."
        )
    if not (isinstance(sample_weight, str) and sample_weight == _UNCHANGED):
        requests = get_metadata_routing(estimator)
        getattr(requests, method).add_request(param="sample_weight", alias=sample_weight)
        keep_requests(estimator, requests)
    return estimator
