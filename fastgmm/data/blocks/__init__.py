"""Rows that come in blocks, since they are too many for memory, or lie elsewhere.

``block.py`` says what a block is, and what a source of blocks must be able to do: work on every block where it lies, and
hand the results over in order. ``cutting.py`` cuts what readers decode into blocks by row number alone. ``reading.py``
says how a fit reads a block. ``looking.py`` is the one pass that finds out what is known of all rows, and draws those
that starts look at. ``local.py`` is a source in this process, which decodes one block ahead; the files beside it decode:
arrays, memory-mapped files, Parquet and Arrow, text. ``caching.py`` keeps what was decoded. Who visits blocks in other
processes lives in ``sweeps``.
"""
