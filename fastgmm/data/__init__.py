"""Rows, wherever they are: what users hand in is checked here, read from files, and looked at.

``validation.py`` makes arrays of what users hand in, with ``times.py`` and ``whole_numbers.py`` for what arrays of
floats would falsify, ``weights.py`` of weights, and ``targets.py`` of what a regression is to find; ``features.py``
finds features by number or name; ``tables/`` reads files, ``table.py`` is an array with names of columns,
``datasets.py`` has data of our own, ``blocks/`` rows beyond memory. ``facts.py`` says what is known of rows at a look:
ranges, variances, quantiles, a center; ``origin.py`` from where a fit counts, ``single_precision.py`` where float32 has
no room, ``patterns.py`` which rows lack which values, ``labels.py`` what is known of their components.
``random_numbers.py`` has those of rows, by their numbers; ``digest.py`` tells whether rows are those of another time.
"""
