"""
Missing values
==============

A fifth of all measurements of 150 irises is cut out. A mixture is fitted to what is left: rows with holes count by the
values that they have, and none is dropped or filled beforehand. ``impute`` then tells what each missing value is
expected to be, given the others of its flower, and how far it may be off. Here the truth is known: points on the
diagonal are right, and bars are of one standard deviation.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from fastgmm import GaussianMixture

iris = load_iris(as_frame=True).data
is_missing = np.random.default_rng(0).random(iris.shape) < 0.2
holes = iris.mask(is_missing)

gm = GaussianMixture(3, covariance_type="tied", n_init=5, random_state=0).fit(holes)
filled, std = gm.impute(holes, return_std=True)

truth, error = iris.to_numpy(), filled - iris.to_numpy()
by_means = holes.fillna(holes.mean()).to_numpy() - truth
print(f"root mean squared error: {np.sqrt(np.mean(error[is_missing] ** 2)):.2f} cm,", end=" ")
print(f"of means of columns {np.sqrt(np.mean(by_means[is_missing] ** 2)):.2f} cm")
print(f"within two standard deviations: {np.mean(np.abs(error)[is_missing] < 2 * std[is_missing]):.0%}")

# %%
figure, axes = plt.subplots(figsize=(6.4, 5.5), layout="constrained")
for column, name in enumerate(iris.columns):
    rows = is_missing[:, column]
    bars = {"fmt": "o", "markersize": 4, "elinewidth": 0.8, "alpha": 0.7, "label": name}
    axes.errorbar(truth[rows, column], filled[rows, column], std[rows, column], **bars)
axes.axline((0, 0), slope=1, color="gray", lw=1)
axes.set(title=f"{is_missing.sum()} values that were cut out", xlabel="truth (cm)", ylabel="imputed (cm)")
axes.legend()
plt.show()
