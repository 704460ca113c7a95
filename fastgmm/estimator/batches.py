"""``partial_fit``: a batch of rows checked, and handed to stepwise EM."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from fastgmm.data.validation import check_feature_names, check_rows, feature_names
from fastgmm.data.weights import check_sample_weight, warn_of_weights
from fastgmm.estimator.calls import SWEEPS_OF_A_FIT, earlier_fit, rows_of_a_start, with_start_in_caller
from fastgmm.estimator.of_blocks import refuse_blocks
from fastgmm.fit.options import check_stepwise, options_of
from fastgmm.fit.steps import Fit
from fastgmm.fit.stepwise import Earlier, Stream, start_of, step_of_batch
from fastgmm.kernels.contract import work_of
from fastgmm.machine.waiting import attended
from fastgmm.model.attributes import fitted_attributes, has_parameters


def checked_step(estimator: object, X: ArrayLike, y: object, sample_weight: ArrayLike | None) -> dict[str, Any]:
    """The attributes after a batch of rows, which the estimator does not have yet."""
    attributes, name = vars(estimator), type(estimator).__name__
    options = options_of(attributes, name)
    check_stepwise(options, name)
    refuse_blocks(X, "partial_fit", "call it with one array after another, or give the blocks to fit")
    names, earlier = feature_names(X), None
    if not has_parameters(attributes):
        rows = rows_of_a_start(X, sample_weight, options.n_components, name, names)
    else:
        names = attributes.get("feature_names_in_")
        check_feature_names(X, names, name)
        rows = check_rows(X, name)
        rows = replace(rows, weights=check_sample_weight(sample_weight, rows.shape[0]))
        earlier = _before_a_step(attributes, rows.shape[1], name)
    if sample_weight is None:
        warn_of_weights(y, rows.shape[0])

    def work() -> tuple[Fit, Stream, int, Warning | None]:
        before, warning = earlier, None
        if before is None:
            before, warning = start_of(with_start_in_caller(options), rows, names)
        return *step_of_batch(options, rows, before), (before.n_steps or 0) + 1, warning

    sweep = work_of(sum(rows.shape), rows.shape[1], options.n_components)
    fit, stream, n_steps, warning = attended(work, SWEEPS_OF_A_FIT * sweep if earlier is None else sweep)
    if warning is not None:
        warnings.warn(warning, stacklevel=3)
    # One bound is kept, since there may be batches without end.
    fitted = fitted_attributes(fit, ()) | {"n_iter_": n_steps, "lower_bounds_": [fit.lower_bound]}
    # As plain values and a public class, which pickles may name.
    fitted["_stream"] = dict(vars(stream))
    return fitted if names is None else fitted | {"feature_names_in_": names}


def _before_a_step(attributes: Mapping[str, Any], n_features: int, name: str) -> Earlier:
    """The model that a batch is to move."""
    why = "partial_fit", "Make another estimator, or fit this one, to start anew."
    parameters = earlier_fit(attributes, n_features, name, why).parameters
    stream = Stream(**attributes["_stream"]) if "_stream" in attributes else None
    if stream is not None and not stream.is_of(parameters):
        stream = None
    return Earlier(parameters, stream, attributes.get("n_iter_", 0), attributes.get("prior_"))
