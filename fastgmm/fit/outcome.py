"""What a fit has to say about its outcome: one warning at most, which says all of it."""

import numpy as np

from fastgmm.data.facts import Facts
from fastgmm.errors import (
    DegenerateComponentWarning,
    MergedComponentsWarning,
    UnobservedPairWarning,
    convergence_warning,
    names,
)
from fastgmm.families import FAMILIES
from fastgmm.fit.degenerate import feature_in_words, why_rows_are_flat
from fastgmm.fit.merged import merged_components
from fastgmm.fit.options import Options
from fastgmm.fit.regularization import regularization_warning
from fastgmm.fit.steps import Fit
from fastgmm.parameters import FloatArray, Names

# In the words of a warning.
_MOST_GROUPS = 3


def warning_about(
    options: Options,
    facts: Facts,
    best: Fit,
    regularization: FloatArray,
    fixed: tuple[int, ...],
    of_features: Names | None = None,
) -> Warning | None:
    """The gravest of what is to say, with the rest in its words.

    That is no convergence, degeneracy, components that are the same, pairs of features that no row has,
    regularization.

    ``fixed`` are components whose covariances are, to which nothing was added.
    """
    passed_over = (*best.degenerate, *fixed)
    rest: Warning | None = regularization_warning(
        options.reg_covar, regularization, best.parameters, best.precisions_cholesky, passed_over
    )
    if FAMILIES[options.family].has_matrices and len(fixed) < options.n_components:
        rest = _unobserved_pair(facts, of_features, rest)
    if options.annealing is not None and options.annealing < 1.0 and not best.was_cut_short:
        rest = _merger(best, options.annealing, rest)
    if best.degenerate:
        rest = _degeneracy(facts, best, of_features, rest)
    settles = options.assignment != "stochastic"
    if best.stop_reason == "max_iter" and options.max_iter > 0 and settles:
        return _no_convergence(best, options.tol, rest)
    return rest


def _merger(best: Fit, annealing: float, rest: Warning | None) -> Warning | None:
    """Of components that flat densities have made one."""
    merged = merged_components(best.parameters, best.precisions_cholesky)
    if not merged:
        return rest
    message = (
        f"{_capital(', and '.join(names(group) for group in merged[:_MOST_GROUPS]))} of {best.parameters.n_components} "
        f"are the same but for their weights: flat densities have merged them. Begin with a larger exponent than "
        f"annealing={annealing:g}, or fit fewer components."
    )
    return MergedComponentsWarning(_joined(message, rest), merged, annealing)


def _unobserved_pair(facts: Facts, of_features: Names | None, rest: Warning | None) -> Warning | None:
    """Of features that no row has both of, such as those of files that were matched by others."""
    if not facts.rows.has_missing:
        return rest
    together = facts.observed_together
    n_pairs = int(np.count_nonzero(together[np.triu_indices(len(together), 1)] == 0))
    if not n_pairs:
        return rest
    one, other = (feature_in_words(j, of_features) for j in facts.seldom_together)
    message = (
        f"Features {one} and {other} are never observed together: their correlation given the others is not determined "
        "by the data."
    )
    return UnobservedPairWarning(_joined(message, rest), facts.seldom_together, n_pairs)


def _no_convergence(best: Fit, tol: float, rest: Warning | None) -> Warning:
    message = (
        "Best performing initialization did not converge. Try different init parameters, or increase max_iter, tol, "
        "or check for degenerate data."
    )
    if best.steps[-1].fell:
        message += " The likelihood was falling, as it may where reg_covar is large."
    return convergence_warning(_joined(message, rest), len(best.steps), best.steps[-1].change, tol)


def _degeneracy(facts: Facts, best: Fit, of_features: Names | None, rest: Warning | None) -> Warning:
    unseeing = tuple(pair for pair in best.unseeing if pair[0] not in best.collapsed)
    causes, messages = list[str](), list[str]()
    if set(best.degenerate) != {*best.collapsed, *(component for component, _ in unseeing)}:
        causes.append(why_rows_are_flat(facts, of_features))
        messages.append(
            f"All rows lie in a plane ({causes[0]}), and so do all components: the likelihood is that of reg_covar. "
            "Leave out features that are constant or follow from others, or choose covariance_type='diag' where rows "
            "are few."
        )
    elif best.collapsed:
        causes.append("few points")
        messages.append(
            f"{_capital(names(best.collapsed))} of {best.parameters.n_components} collapsed onto few distinct points: "
            "the likelihood there is that of reg_covar. Try fewer components, another covariance_type, or more starts "
            "(n_init)."
        )
    if unseeing:
        feature = feature_in_words(unseeing[0][1], of_features)
        causes.append(f"few values of feature {feature}")
        messages.append(_of_unseeing(unseeing, best.parameters.n_components, feature))
    message = _joined(" Besides: ".join(messages), rest)
    return DegenerateComponentWarning(message, best.degenerate, causes[0])


def _of_unseeing(unseeing: tuple[tuple[int, int], ...], n_components: int, feature: str) -> str:
    who = _capital(names(tuple(component for component, _ in unseeing)))
    if len(unseeing) == 1:
        return (
            f"{who} of {n_components} holds fewer than two values of feature {feature}: what it is like there follows "
            "from other features or from the start."
        )
    return (
        f"{who} of {n_components} hold fewer than two values of some feature, component {unseeing[0][0]} of feature "
        f"{feature}: what they are like there follows from other features or from the start."
    )


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _joined(message: str, rest: Warning | None) -> str:
    return message if rest is None else f"{message} Besides: {rest}"
