"""What a fitted chain of states can do: score sequences, find their states, draw new ones.

Rabiner's tutorial [1]_ has the recursions; kernels compute them (``kernels/chains.py``).

References
----------
.. [1] L. R. Rabiner, "A tutorial on hidden Markov models and selected applications in speech recognition", Proceedings
   of the IEEE 77 (1989).
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgmm.families import FAMILIES
from fastgmm.families.check import check_covariances
from fastgmm.kernels.chains import Chain, Sequences, chain_of, useful_threads
from fastgmm.machine.threads import resolve_n_threads
from fastgmm.machine.waiting import check
from fastgmm.model.scoring import Scorer, make_scorer
from fastgmm.parameters import FloatArray, IntArray, Parameters
from fastgmm.rows import Rows
from fastgmm.sweeps.over_sequences import Stretch, in_double, kernels_of, posteriors_of, stretches_of

# Probabilities that a user sets sum to 1 but for so much, as hmmlearn asks.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class ChainScorer:
    """A chain of states, and what scores rows in each of them, for which all weights are 1."""

    emissions: Scorer
    chain: Chain
    n_threads: int | None

    @property
    def n_states(self) -> int:
        return len(self.chain.start)

    def log_likelihoods(self, rows: Rows, lengths: IntArray, posteriors: FloatArray | None = None) -> FloatArray:
        """Those of the sequences; their posteriors (n, K) into a table, where there is one."""
        result = np.empty(len(lengths))
        for stretch, joint in self._visited(rows, lengths):
            threads = self._threads(stretch.sequences)
            found = posteriors_of(joint, stretch.sequences, self.chain, self.emissions.backend, threads)
            result[stretch.numbers] = found.log_likelihoods
            if posteriors is not None:
                np.exp(joint, out=posteriors[stretch.rows])
        return result

    def paths(self, rows: Rows, lengths: IntArray) -> tuple[FloatArray, IntArray]:
        """The most probable path of each sequence, (n,) in all, and log p of it and the rows (S,)."""
        log_probabilities, states = np.empty(len(lengths)), np.empty(rows.shape[0], np.int64)
        decode = kernels_of(self.emissions.backend).decode
        for stretch, joint in self._visited(rows, lengths):
            results = log_probabilities[stretch.numbers], states[stretch.rows]
            decode(self.chain, stretch.sequences, joint, *results, self._threads(stretch.sequences))
        return log_probabilities, states

    def _visited(self, rows: Rows, lengths: IntArray) -> Iterator[tuple[Stretch, FloatArray]]:
        """Stretches of whole sequences, with their joint log-densities."""
        for stretch in stretches_of(lengths, self.n_states):
            check()
            joint = self.emissions.joint(rows.take(stretch.rows), self.n_threads)
            yield stretch, in_double(joint)

    def _threads(self, sequences: Sequences) -> int:
        useful = useful_threads(sequences, self.n_states)
        return min(useful, resolve_n_threads(self.n_threads)) if useful > 1 else 1


def chain_scorer(attributes: Mapping[str, Any]) -> ChainScorer:
    """Of the fitted attributes, some of which may have been set by hand; ``ValueError`` where they make no chain."""
    scorer: Scorer | None = attributes.get("_scorer")
    what = attributes["means_"], attributes["covariances_"], attributes["covariance_type"], attributes["backend"]
    if scorer is None or not _is_of(scorer, attributes.get("_scored"), what):
        scorer = scorer_of_emissions(*what)
    start, transitions = checked_chain(attributes["startprob_"], attributes["transmat_"], scorer.shape[0])
    return ChainScorer(scorer, chain_of(start, transitions), attributes["n_threads"])


def _is_of(scorer: Scorer, scored: Any, what: tuple[Any, ...]) -> bool:
    means, covariances, covariance_type, backend = what
    is_same = scored is not None and scored[0] is means and scored[1] is covariances
    return is_same and scorer.covariance_type == covariance_type and scorer.backend_name == backend


def scorer_of_emissions(means: Any, covariances: Any, covariance_type: str, backend: str) -> Scorer:
    """What scores rows in each state, with weights of 1; ``ValueError`` where it makes no sense."""
    means = checked_means(means)
    checked = check_covariances(FAMILIES[covariance_type], covariances, *means.shape)
    attributes = {"weights_": np.ones(len(means)), "means_": means, "covariances_": checked}
    return make_scorer(attributes | {"covariance_type": covariance_type, "backend": backend})


def checked_means(means: Any) -> FloatArray:
    """A finite table (K, d) of float64."""
    array = np.array(means, np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"means_ must be a finite array of shape (n_components, n_features); got {array.shape}")
    return array


def checked_chain(start: Any, transitions: Any, n_states: int) -> tuple[FloatArray, FloatArray]:
    """Probabilities of first states (K,) and of transitions (K, K), whose rows sum to 1."""
    return (
        checked_probabilities(start, (n_states,), "startprob_"),
        checked_probabilities(transitions, (n_states, n_states), "transmat_"),
    )


def checked_probabilities(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    """An array of a shape, not negative, that sums to 1 along the last axis."""
    array = np.array(values, np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}; got {array.shape}")
    totals = array.sum(axis=-1, keepdims=True)
    if not (array >= 0).all() or not (np.abs(totals - 1.0) <= _ROUNDING).all():
        raise ValueError(f"{name} must not be negative, and sum to 1 in every row; sums are {totals.ravel()}")
    # What sums to 1 but for rounding stays as it is, to the bit.
    result: FloatArray = np.where(np.abs(totals - 1.0) <= shape[-1] * np.finfo(np.float64).eps, array, array / totals)
    return result


def free_numbers(covariance_type: str, n_states: int, n_features: int) -> int:
    """First states and rows of transitions that sum to 1, means, and covariances."""
    of_covariances = FAMILIES[covariance_type].n_covariance_parameters(n_states, n_features)
    return int(n_states - 1 + n_states * (n_states - 1) + n_states * n_features + of_covariances)


def stationary(transitions: FloatArray) -> FloatArray:
    """p with p = pA, by the equations p(A − I) = 0, Σp = 1; the smallest where there are several."""
    n = len(transitions)
    equations = np.vstack([transitions.T - np.eye(n), np.ones(n)])
    found, *_ = np.linalg.lstsq(equations, np.r_[np.zeros(n), 1.0], rcond=None)
    positive = np.maximum(found, 0.0)
    result: FloatArray = positive / positive.sum()
    return result


def drawn(
    chain: Chain, parameters: Parameters, n_samples: int, random_state: np.random.RandomState, before: int | None
) -> tuple[FloatArray, IntArray]:
    """A sequence (n, d) and its states (n,): the first one by π, or after the state ``before``."""
    uniform = random_state.uniform(size=n_samples).tolist()
    limits = [np.cumsum(row)[:-1].tolist() for row in chain.transitions]
    own = np.cumsum(chain.start)[:-1].tolist() if before is None else limits[before]
    states = np.empty(n_samples, np.int64)
    for t, number in enumerate(uniform):
        state = bisect_right(own, number)
        states[t], own = state, limits[state]
    family = FAMILIES[parameters.covariance_type]
    normal = random_state.standard_normal((n_samples, parameters.n_features))
    for k in range(parameters.n_components):
        mine = states == k
        normal[mine] = parameters.means[k] + family.coloring(parameters.covariances, k)(normal[mine])
    return normal, states
