"""
A start that fails, and its cure
================================

Petals of irises were measured to a millimeter, so that many have exactly the same length. From a poor start a
component may shrink onto these: its likelihood would be without bound, were it not for ``reg_covar``, and means
nothing. A warning tells, and ``degenerate_components_`` says which it is. The cure is a vague prior, under which flat
covariances are improbable; or a better start, or more of them, of which one without a spike is preferred.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_iris

from fastgmm import GaussianMixture

petals = load_iris(as_frame=True).data[["petal length (cm)", "petal width (cm)"]]
options = {"n_components": 4, "init_params": "random_from_data", "random_state": 8}

with warnings.catch_warnings(record=True, action="always") as caught:
    spiked = GaussianMixture(**options).fit(petals)
print(caught[0].message)
sound = GaussianMixture(prior="default", reg_covar=0, **options).fit(petals)
print(f"log-likelihood a row: {spiked.score(petals):.3f} with the spike, {sound.score(petals):.3f} without")

# %%
figure, panels = plt.subplots(1, 2, figsize=(8, 4), sharex=True, sharey=True, layout="constrained")
for axes, gm, title in zip(panels, (spiked, sound), ("a spike", "with a prior"), strict=True):
    gm.plot(petals, ax=axes)
    axes.set_title(title)
    axes.label_outer()
(spike,) = spiked.degenerate_components_
panels[0].annotate("all of one length", spiked.means_[spike], (2.0, 0.05), arrowprops={"arrowstyle": "->"})
plt.show()
