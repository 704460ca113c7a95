"""scikit-learn's face, without scikit-learn: the class, its protocol, the exchange with others, the front door.

``mixture.py`` is the estimator; its methods check their arguments in ``calls.py`` and hand them on: those that fit in
``fits.py``, those that ask a fitted model in ``answers.py``, those of a single iteration of EM in ``one_step.py``.
``imputer.py`` is a transformer (``transformer.py``), and ``regressor.py`` finds targets. ``selecting.py`` chooses among
mixtures of a range that ``ranges.py`` reads, ``selector.py`` as an estimator.
What no first fit needs is in ``later.py``.
"""
