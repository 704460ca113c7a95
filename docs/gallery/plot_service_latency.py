"""
A service that scores single rows
=================================

A service is asked for one row at a time, and what counts is how long its caller waits. For one row the arithmetic is
next to nothing; time goes into what is around it, which fastgmm keeps short. The same mixture answers 2,000 questions,
once by itself and once as the estimator of scikit-learn that ``to_sklearn`` makes of it. The axis is logarithmic, and
dashed lines are medians.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from fastgmm import GaussianMixture

X = scale(load_breast_cancer().data)
ours = GaussianMixture(2, random_state=0).fit(X)
theirs = ours.to_sklearn()

figure, axes = plt.subplots(layout="constrained")
bins = np.geomspace(5, 1000, 80)
for name, gm, color in (("fastgmm", ours, "tab:blue"), ("scikit-learn", theirs, "tab:orange")):
    microseconds = []
    for question in range(2_000):
        row = X[[question % len(X)]]
        begin = time.perf_counter()
        gm.predict_proba(row)
        microseconds.append(1e6 * (time.perf_counter() - begin))
    median, late = np.quantile(microseconds, [0.5, 0.99])
    print(f"{name}: median {median:.0f} µs, 99 of 100 within {late:.0f} µs")
    axes.hist(microseconds, bins, color=color, alpha=0.6, label=name)
    axes.axvline(median, color=color, ls="--")
axes.set(xscale="log", title="predict_proba of one row of 30 features", xlabel="microseconds", ylabel="calls")
axes.legend()
plt.show()
