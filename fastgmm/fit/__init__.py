"""From options and rows to the best model.

``options.py`` checks hyper-parameters. ``fitting.py`` wires a fit: a run of EM (``em.py``) from every start
(``starts.py``), each of which repeats prepare, sweep, maximize (``maximize.py``), perhaps with extrapolations
(``acceleration.py``); the likeliest without collapsed components (``degenerate.py``, ``effective_points.py``) is kept,
and ``outcome.py`` says what is to be said about it. Starts are k-means (``kmeans.py``) in scales of their own
(``scales.py``), one or several of which the likelihood chooses (``candidates.py``, ``partitions.py``).
"""
