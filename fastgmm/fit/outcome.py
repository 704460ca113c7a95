"""What a fit has to say about its outcome: one warning at most, which says all of it."""

from fastgmm.data.facts import Facts
from fastgmm.errors import DegenerateComponentWarning, convergence_warning, names
from fastgmm.fit.degenerate import why_rows_are_flat
from fastgmm.fit.options import Options
from fastgmm.fit.regularization import regularization_warning
from fastgmm.fit.runs import Fit
from fastgmm.parameters import FloatArray


def warning_about(
    options: Options, facts: Facts, best: Fit, regularization: FloatArray, fixed: tuple[int, ...]
) -> Warning | None:
    """The gravest of what is to say, with the rest in its words: no convergence, degeneracy, regularization.

    ``fixed`` are components whose covariances are, to which nothing was added.
    """
    passed_over = (*best.degenerate, *fixed)
    rest: Warning | None = regularization_warning(
        options.reg_covar, regularization, best.parameters, best.precisions_cholesky, passed_over
    )
    if best.degenerate:
        rest = _degeneracy(facts, best, rest)
    settles = options.assignment != "stochastic"
    if best.stop_reason == "max_iter" and options.max_iter > 0 and settles:
        return _no_convergence(best, options.tol, rest)
    return rest


def _no_convergence(best: Fit, tol: float, rest: Warning | None) -> Warning:
    message = (
        "Best performing initialization did not converge. Try different init parameters, or increase max_iter, tol, "
        "or check for degenerate data."
    )
    if best.steps[-1].fell:
        message += " The likelihood was falling, as it may where reg_covar is large."
    return convergence_warning(_joined(message, rest), len(best.steps), best.steps[-1].change, tol)


def _degeneracy(facts: Facts, best: Fit, rest: Warning | None) -> Warning:
    if best.degenerate == best.collapsed:
        cause = "few points"
        who = names(best.collapsed)
        message = (
            f"{who[0].upper()}{who[1:]} of {best.parameters.n_components} collapsed onto few distinct points: the "
            "likelihood there is that of reg_covar. Try fewer components, another covariance_type, or more starts "
            "(n_init)."
        )
    else:
        cause = why_rows_are_flat(facts)
        message = (
            f"All rows lie in a plane ({cause}), and so do all components: the likelihood is that of reg_covar. Leave "
            "out features that are constant or follow from others, or choose covariance_type='diag' where rows are few."
        )
    return DegenerateComponentWarning(_joined(message, rest), best.degenerate, cause)


def _joined(message: str, rest: Warning | None) -> str:
    return message if rest is None else f"{message} Besides: {rest}"
