"""Whether fits end where those of R's mclust do, from the same partitions: see ``mclust.R``, which is run before.

``python -m bench.lab.mclust FOLDER`` counts the fits that end at the same likelihood, to 2e-6 of it, above and below,
and prints those that do not.
"""

import argparse
import csv
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from fastgmm import GaussianMixture
from fastgmm.errors import DegenerateComponentError
from fastgmm.parameters import FloatArray

TOLERANCE = 2e-6


def log_likelihood(name: str, rows: FloatArray, labels: Any) -> float:
    """NaN where a component is singular."""
    gm = GaussianMixture(
        int(labels.max()) + 1,
        covariance_type=name,
        init_params=lambda values, n_components, random_state: labels,
        reg_covar=0.0,
        tol=1e-12,
        max_iter=20_000,
    )
    try:
        return gm.fit(rows).score(rows) * len(rows)
    except DegenerateComponentError:
        return float("nan")


def compared(ours: float, theirs: float) -> str:
    """In a word or two."""
    if np.isnan(ours) or not np.isfinite(theirs):
        return "both fail" if np.isnan(ours) and not np.isfinite(theirs) else "one fails"
    if abs(ours - theirs) <= TOLERANCE * abs(theirs):
        return "the same"
    return "above" if ours > theirs else "below"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.lab.mclust", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")  # what is degenerate is so in both
    counts: dict[str, Counter[str]] = {}
    with (folder / "found.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            rows = np.loadtxt(folder / f"{line['set']}.rows.csv", delimiter=",", ndmin=2)
            labels = np.loadtxt(folder / f"{line['set']}.labels.csv", delimiter=",", ndmin=2, dtype=np.int64) - 1
            ours = log_likelihood(line["model"], rows, labels[:, int(line["column"])])
            theirs = float(line["log_likelihood"].replace("NA", "nan"))
            outcome = compared(ours, theirs)
            counts.setdefault(line["model"], Counter())[outcome] += 1
            if outcome in ("above", "below", "one fails"):
                print(f"{line['set']} {labels[:, int(line['column'])].max() + 1} {line['model']}: {ours} {theirs}")
    for model, outcomes in counts.items():
        print(model, ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))


if __name__ == "__main__":
    main()
