"""
Digits: components that stretch along a few directions
======================================================

1,797 pictures of digits have 64 pixels. A full covariance has 2,080 numbers for each component, more than there are
pictures to find them from; variances alone say nothing of how pixels go together. Factor analyzers stand between:
pixels vary with a few factors, and each for itself. Mixtures of five components are fitted to two thirds of the
pictures and judged by the density of the others. Six factors do better than full matrices, twenty more so. On the right
is how the largest component varies along its two longest directions.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from fastgmm import GaussianMixture

rng = np.random.default_rng(0)
pixels = load_digits().data
pixels = (pixels + rng.uniform(size=pixels.shape))[rng.permutation(len(pixels))]  # whole numbers have no density
known, new = pixels[:1200], pixels[1200:]

ranks, how = (1, 2, 4, 6, 8, 12, 16, 20), {"n_components": 5, "random_state": 0, "max_iter": 500}
fits = [GaussianMixture(covariance_type="factor", rank=rank, **how).fit(known) for rank in ranks]

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
left.plot(ranks, [gm.score(new) for gm in fits], "o-", label="factor analyzers")
for family, style in (("full", "--"), ("diag", ":")):
    score = GaussianMixture(covariance_type=family, **how).fit(known).score(new)
    left.axhline(score, color="0.5", linestyle=style, label=family)
left.set(title="pictures left out", xlabel="factors of a component", ylabel="mean log-density")
left.legend()

gm, largest = fits[3], fits[3].weights_.argmax()
long = np.linalg.svd(gm.loadings_[largest], full_matrices=False)
steps = [gm.means_[largest] + by * long.U[:, axis] * long.S[axis] for axis in (0, 1) for by in (-2, 0, 2)]
picture = np.vstack([np.hstack([each.reshape(8, 8) for each in row]) for row in (steps[:3], steps[3:])])
right.imshow(picture, cmap="gray_r", vmin=0, vmax=16)
right.set(title="two factors, ±2 deviations", xticks=[], yticks=[])
plt.show()
