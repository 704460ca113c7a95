"""What people look at: progress of fits, reports of them in words, and pictures.

``progress.py`` and ``verbose.py`` are observers of fits; ``reports.py`` is what commands say. Of pictures
``mixture_display.py`` says which one is drawn, ``views.py`` what it is of, and ``panels.py`` draws it;
``selection_display.py`` draws the criteria of several models. ``figures.py`` is the home of matplotlib, which is there
only where the extra ``plot`` is installed. Estimators are asked by their methods, since what these compute lives on the
same floor.
"""
