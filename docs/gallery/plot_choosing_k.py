"""
Wine: how many components?
==========================

178 wines from three cultivars of grapes, by three of their measurements; nobody tells which is which. ``select`` fits
one to eight components in four families of covariances. BIC weighs the likelihood against the number of parameters: a
line falls while another component explains more than it costs, and rises where it does not. It ends where a component
would be left with too few wines to mean anything. The star is the best of all: three components, as there are
cultivars.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_wine

import fastgmm

wine = load_wine(as_frame=True)
X = wine.data[["alcohol", "flavanoids", "color_intensity"]]
chosen = fastgmm.select(X, 8, random_state=0)

figure, axes = plt.subplots(layout="constrained")
chosen.plot(ax=axes)
plt.show()

# %%
# All but a few wines of a cultivar are in one component, which has not seen their names:

cultivar = wine.target_names[wine.target]
print(pd.crosstab(cultivar, chosen.best_.predict(X), rownames=["cultivar"], colnames=["component"]))
