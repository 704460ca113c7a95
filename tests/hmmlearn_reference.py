"""What hmmlearn 0.3.3 makes of three sequences from a given start: ``python -m tests.hmmlearn_reference`` writes it."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm.parameters import FloatArray, IntArray

REFERENCE = Path(__file__).parent / "estimator" / "hmmlearn_reference.json"
FAMILIES = ("diag", "full", "tied", "spherical")
N_ITERATIONS = 12


def problem() -> tuple[FloatArray, IntArray]:
    """Sequences whose states overlap."""
    rng = np.random.RandomState(20)
    lengths = np.array([40, 1, 59])
    states = np.repeat(rng.randint(3, size=20), 5)
    return np.array([[0.0, 0.0], [2.0, -1.0], [-1.0, 2.0]])[states] + rng.normal(size=(100, 2)), lengths


def start(family: str) -> dict[str, FloatArray]:
    covariances = {
        "diag": np.ones((3, 2)),
        "full": np.array([np.eye(2)] * 3),
        "tied": np.eye(2),
        "spherical": np.ones(3),
    }
    return {
        "startprob_": np.array([0.5, 0.3, 0.2]),
        "transmat_": np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.25, 0.25, 0.5]]),
        "means_": np.array([[0.5, 0.0], [1.0, 0.5], [-1.0, 0.0]]),
        "covars_": covariances[family],
    }


def write() -> None:
    """Ask hmmlearn, without the priors of covariances that it has by default."""
    from hmmlearn.hmm import GaussianHMM

    X, lengths = problem()
    found: dict[str, Any] = {}
    for family in FAMILIES:
        weight = 0 if family in ("full", "tied") else 1
        options = {"covars_prior": 0, "covars_weight": weight, "min_covar": 0, "tol": 0, "n_iter": N_ITERATIONS}
        hmm = GaussianHMM(3, family, init_params="", **options)
        for name, value in start(family).items():
            setattr(hmm, name, value)
        hmm.fit(X, lengths)
        # Of spherical ones it keeps the variance of every feature, which are all the same.
        covariances = hmm._covars_[:, 0] if family == "spherical" else hmm._covars_
        log_probability, states = hmm.decode(X, lengths)
        found[family] = {
            "history": list(hmm.monitor_.history),
            "startprob_": hmm.startprob_.tolist(),
            "transmat_": hmm.transmat_.tolist(),
            "means_": hmm.means_.tolist(),
            "covariances_": covariances.tolist(),
            "score": hmm.score(X, lengths),
            "log_probability": log_probability,
            "states": states.tolist(),
            "right_states": hmm.decode(X, lengths, algorithm="map")[0],
            "posteriors_of_some": hmm.predict_proba(X, lengths)[38:44].tolist(),
            "aic": hmm.aic(X, lengths),
            "bic": hmm.bic(X, lengths),
            "stationary": hmm.get_stationary_distribution().tolist(),
        }
    REFERENCE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
