"""How high default fits of rows with holes end: ``python -m bench.lab.holes``.

Six clusters in eight features, 20,000 rows, 30 % of the values missing at random. Best known is the highest end of all
fits, one from the means that made the rows among them.

Taught: of 24 seeds 24 are within 0.01 nats of it with full and tied components, 21 with diag and 23 with spherical;
where clusters overlap more (2 and 1 instead of 4 in ``SPREAD``), 23 or 24.
"""

import sys
import warnings

import numpy as np

from fastgmm import GaussianMixture
from fastgmm.families import FOUR

N_ROWS, N_FEATURES, N_COMPONENTS, SHARE = 20_000, 8, 6, 0.3
SPREAD = 4.0
SEEDS, NEAR = 24, 0.01


def main(families: list[str]) -> None:
    for family in families or FOUR:
        rng = np.random.default_rng(0)
        centers = SPREAD * rng.normal(size=(N_COMPONENTS, N_FEATURES))
        values = centers[rng.integers(N_COMPONENTS, size=N_ROWS)] + rng.normal(size=(N_ROWS, N_FEATURES))
        values[rng.random(values.shape) < SHARE] = np.nan
        options = {"covariance_type": family, "tol": 1e-6, "max_iter": 500}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            best = GaussianMixture(N_COMPONENTS, means_init=centers, **options).fit(values).lower_bound_
            fits = [GaussianMixture(N_COMPONENTS, random_state=seed, **options).fit(values) for seed in range(SEEDS)]
        bounds = np.array([gm.lower_bound_ for gm in fits])
        best = max(best, bounds.max())
        print(
            f"{family}: {np.count_nonzero(bounds >= best - NEAR)} of {SEEDS} seeds within {NEAR} nats of {best:.4f}, "
            f"the worst {best - bounds.min():.3g} below",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
