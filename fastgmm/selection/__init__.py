"""Choosing a model: a search over numbers of components and covariance families.

``search.py`` is the way in: candidates (``candidate.py``) are fitted to all rows where these are few. Of many rows they
race on a sample, and those alone go on that may still win (``race.py``). What makes that cheaper than a loop of fits is
that candidates help each other (``starts.py``): one partition serves all families, the fit with one component more is a
start by its cheapest merger, and that of the full family starts the others. Few rows are also grouped by a tree
(``agglomeration.py``), which serves every number of components. Each candidate climbs (``climbing.py``) until what is
left to gain is no longer worth a decision. Criteria (``criteria.py``) judge them.

What is chosen becomes an estimator in ``fastgmm/estimator/selecting.py``.
"""
