"""Who visits the rows: models in, moments or results row by row out.

``sweep.py`` says what the loop of EM needs. ``in_memory.py`` passes over an array in sections of all chunks;
``incomplete.py`` visits rows that lack values by pattern, ``bounded.py`` remembers from pass to pass which components
are too far from which rows to matter, ``drawn.py`` draws a component for each row, ``uncertain.py`` visits rows of
known errors (``uncertain_scores.py`` scores them). Kernels do the arithmetic, families say what is collected.

``over_blocks.py`` asks rows that come in blocks, from whatever source ``blocks_of.py`` makes of what users hand in.
``on_dask.py`` has blocks on the workers of a cluster, and ``placement.py`` decides who works on which. ``on_spark.py``
has Spark visit them, by the tasks in ``spark_tasks.py``, of what ``spark_frames.py`` finds in a DataFrame.
"""
