"""What a fitted mixture can do: score, sample, be judged, make others.

``attributes.py`` knows the attributes of a fitted estimator, be they a fit's or set by hand; ``scoring.py`` keeps what
scoring needs ready beside them; ``joint.py`` has joint log-densities, ``criteria.py`` AIC and BIC. ``algebra.py``
is the door to what follows from a mixture in closed form, or nearly so.
"""
