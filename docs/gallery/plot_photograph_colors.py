"""
Colors of a photograph
======================

A photograph is a table: each of its 273,280 pixels is a row of three values, red, green and blue. Light and shade move
the color of a thing along a line, which a component with a full covariance can follow. Right, every pixel has the mean
color of its most probable component: twelve colors are enough for the pagoda, its columns, the trees and the lake. The
strip shows these colors, each as wide as its weight: about half of the pixels are sky and haze.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from fastgmm import GaussianMixture

photograph = load_sample_image("china.jpg")
pixels = photograph.reshape(-1, 3)
gm = GaussianMixture(12, random_state=0).fit(pixels)
painted = gm.means_[gm.predict(pixels)].astype(np.uint8).reshape(photograph.shape)

places = [["photograph", "painted"], ["weights", "weights"]]
figure, panels = plt.subplot_mosaic(places, figsize=(8, 3.7), height_ratios=(8, 1), layout="constrained")
for name, image in (("photograph", photograph), ("painted", painted)):
    panels[name].imshow(image)
    panels[name].set_axis_off()
panels["photograph"].set_title(f"{len(np.unique(pixels @ [1, 256, 65536])):,} colors")
panels["painted"].set_title(f"{gm.n_components} colors")

order = np.argsort(-gm.weights_)
weights, colors = gm.weights_[order], gm.means_[order] / 255
panels["weights"].barh(0, weights, left=np.cumsum(weights) - weights, color=colors)
panels["weights"].set(xlim=(0, 1), xlabel="share of the pixels", yticks=[])
plt.show()
