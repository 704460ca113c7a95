"""From options and rows to the best model.

``options.py`` declares hyper-parameters by rules (``rules.py``), and ``fitting.py`` wires a fit: a run (``runs.py``)
from every start (``starts.py``), of which the likeliest without collapsed components is kept (``degenerate.py``,
``effective_points.py``); ``outcome.py`` says what is to be said about it. A run drives the loop of EM (``em.py``), that
asks for the moments of model after model and knows neither rows nor threads: ``update.py`` prepares and maximizes,
``posterior.py`` does so under a prior (``prior.py``) and with fixed parameters (``fixed.py``), ``noise.py`` beside
noise (``wanted_noise.py``), ``unobserved.py`` counts rows without any value, ``acceleration.py`` lets some models be
extrapolations. ``stepwise.py`` takes a step for every batch of rows, of which it keeps moments. ``assignment.py`` runs
the loop with rows assigned to one component each, and ``annealing.py`` with densities raised to a power. Starts are
k-means (``kmeans.py``) in scales of their own (``scales.py``), one or several of which the likelihood chooses
(``candidates.py``, ``partitions.py``); they hear labels (``labelled.py``) and look at rows without holes
(``filling.py``).
"""
