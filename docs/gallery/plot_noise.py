"""
Noise: clusters among rows that belong to nothing
=================================================

The 272 eruptions of Old Faithful, and among them 130 rows that were drawn evenly over a larger box: a third of the
table is junk. Every component of an ordinary mixture stretches out to hold its part of it. With ``noise="box"`` junk
has a component of its own, spread evenly, whose share is estimated with the rest, and the two kinds of eruption are
what they are without the junk. Gray rows are those that ``predict`` labels -1.
"""

import matplotlib.pyplot as plt
import numpy as np

from fastgmm import GaussianMixture
from fastgmm.data.datasets import load_old_faithful

eruptions = load_old_faithful()
junk = np.random.default_rng(0).uniform([0.0, 20.0], [7.0, 120.0], size=(130, 2))
table = np.concatenate([eruptions, junk])

figure, panels = plt.subplots(1, 2, figsize=(8, 3.8), sharex=True, sharey=True, layout="constrained")
for noise, axes in zip((None, "box"), panels, strict=True):
    gm = GaussianMixture(2, noise=noise, random_state=0).fit(table)
    gm.plot(table, ax=axes)
    share = f": {gm.noise_weight_:.0%} of all rows" if noise else ""
    axes.set(title=f"noise={noise!r}{share}", xlabel="eruption (min)", ylabel="waiting (min)")
    axes.label_outer()
plt.show()
