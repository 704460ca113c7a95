"""Who visits the rows: models in, moments or results row by row out.

``sweep.py`` says what the loop of EM needs. ``in_memory.py`` passes over an array in sections of all chunks;
``incomplete.py`` visits rows that lack values by pattern, ``bounded.py`` remembers from pass to pass which components
are too far from which rows to matter, ``drawn.py`` draws a component for each row. ``over_blocks.py`` adds up the
moments of rows in blocks, ``blocks_of.py`` makes sources of these; ``on_spark.py`` has Spark visit them, by the tasks
in ``spark_tasks.py``, of what ``spark_frames.py`` finds in a DataFrame. Kernels do the arithmetic, families say what is
collected.
"""
