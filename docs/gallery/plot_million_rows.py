"""
A million rows in twenty blobs
==============================

Where rows are many there is no need for a sample: every iteration of EM visits all of them once, on all cores, and a
careful start leaves it little to do. A million markers would hide each other; so the picture is an image, whose bins
have the color of the component that their rows are from, and are the more opaque the more rows there are. More than
twelve components have their numbers at their means. Here the truth is known, and all of its centers are found.
"""

import time

import matplotlib.pyplot as plt
import numpy as np

from fastgmm import GaussianMixture

# %%
# Centers lie as seeds do in a sunflower. Spreads and weights differ.

rng = np.random.default_rng(0)
angle, radius = 2.4 * np.arange(20), 4.5 * np.sqrt(np.arange(20))
centers = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
spreads = rng.uniform(0.6, 1.8, (20, 2))
blob = rng.choice(20, 1_000_000, p=rng.dirichlet(np.full(20, 3.0)))
X = centers[blob] + spreads[blob] * rng.normal(size=(1_000_000, 2))

begin = time.perf_counter()
gm = GaussianMixture(20, random_state=0).fit(X)
print(f"{gm.n_iter_} iterations in {time.perf_counter() - begin:.2f} s")
distances = np.linalg.norm(centers[:, None] - gm.means_, axis=2).min(axis=1)
print(f"from a center to the nearest mean: {distances.max():.3f} at most")

# %%
figure, axes = plt.subplots(figsize=(6.4, 5.5), layout="constrained")
gm.plot(X, ax=axes)
plt.show()
