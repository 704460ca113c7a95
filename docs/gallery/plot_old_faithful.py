"""
Old Faithful: soft clusters
===========================

The geyser Old Faithful in Yellowstone has short eruptions, followed by a short wait, and long ones. Left, every
eruption has the color of its most probable component. Right, the larger a marker, the less certain that is: short
eruptions are told from long ones nearly always, while between the two components of long ones there is no border, and
probabilities say so. These two share one cluster that is no Gaussian: BIC, of which less is better, prefers three
components of one shape to two with shapes of their own.
"""

import matplotlib.pyplot as plt
import pandas as pd

from fastgmm import GaussianMixture
from fastgmm.data.datasets import load_old_faithful

eruptions = pd.DataFrame(load_old_faithful(), columns=["eruption (minutes)", "wait for the next (minutes)"])
gm = GaussianMixture(3, covariance_type="tied", n_init=10, random_state=0).fit(eruptions)
two = GaussianMixture(2, random_state=0).fit(eruptions)
print(f"BIC of three: {gm.bic(eruptions):.1f}, of two: {two.bic(eruptions):.1f}")

# %%
# Probabilities of a short eruption, of a long one, and of one between the two components of long ones:

some = pd.DataFrame([[2.0, 50.0], [4.6, 82.0], [4.1, 78.0]], columns=eruptions.columns)
print(gm.predict_proba(some).round(2))

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
gm.plot(eruptions, ax=left)
gm.plot(eruptions, kind="uncertainty", ax=right)
right.set_ylabel("")
plt.show()
