"""
Handwritten digits in zeros and ones
====================================

1,797 handwritten digits of 8 × 8 pixels, each dark or not: a mixture of Bernoulli components finds how they are written
without being told which digit is which. Each picture is a component, and shows how probable ink is at every pixel. A
digit that people write in several ways has several components; the title says which digit most rows of a component
are, and how many of them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from fastgmm import BernoulliMixture

digits = load_digits()
X = digits.data > 7
mixture = BernoulliMixture(24, n_init=5, random_state=0).fit(X)
labels = mixture.predict(X)

counts = np.array([np.bincount(digits.target[labels == k], minlength=10) for k in range(24)])
order = np.argsort(counts.argmax(axis=1), kind="stable")
figure, panels = plt.subplots(4, 6, figsize=(7.5, 6), layout="constrained")
for panel, k in zip(panels.flat, order, strict=True):
    panel.imshow(mixture.probabilities_[k].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
    panel.set_title(f"{counts[k].argmax()}: {counts[k].max()} of {counts[k].sum()}", fontsize=9)
    panel.set(xticks=[], yticks=[])
panels[-1, 0].set_xlabel("probability of ink")
plt.show()

print(f"{counts.max(axis=1).sum() / len(X):.0%} of the digits are in a component that is mostly of their kind")
