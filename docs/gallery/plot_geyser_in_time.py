"""
A geyser in time
================

Eruptions of Old Faithful in the order in which they came. A hidden Markov model with two states finds short and long
ones, as a mixture does, and how they follow each other: after a short one a long one comes nearly always, so that the
arrows that a mixture would expect most often, short after short, are hardly there.
"""

import matplotlib.pyplot as plt
import numpy as np

from fastgmm import GaussianHMM, GaussianMixture
from fastgmm.data.datasets import load_old_faithful

X = load_old_faithful()
hmm = GaussianHMM(2, covariance_type="full", n_init=3, random_state=0).fit(X)
gm = GaussianMixture(2, random_state=0).fit(X)
states, short = hmm.predict(X), int(np.argmin(hmm.means_[:, 0]))
print(f"after a short eruption a long one follows with probability {hmm.transmat_[short, 1 - short]:.2f}")
print(f"BIC {hmm.bic(X):.0f}, of a mixture {gm.bic(X):.0f}")

# %%
figure, (above, below) = plt.subplots(2, figsize=(7.5, 6), layout="constrained")
first = slice(0, 80)
above.plot(X[first, 0], color="lightgray", zorder=0)
for state, name in ((short, "short"), (1 - short, "long")):
    at = np.flatnonzero(states[first] == state)
    above.scatter(at, X[at, 0], s=18, label=f"{name}: stays with {hmm.transmat_[state, state]:.2f}")
above.set(title="The most probable path", xlabel="number of the eruption", ylabel="duration (minutes)")
above.legend(loc="center right")
below.plot(X[:-1, 0], X[1:, 0], ".", color="gray", label="observed")
drawn, _ = hmm.sample(len(X), random_state=0)
below.plot(drawn[:-1, 0], drawn[1:, 0], "x", markersize=4, label="drawn from the model")
below.set(title="An eruption and the next one", xlabel="duration (minutes)", ylabel="duration of the next")
below.legend()
plt.show()
