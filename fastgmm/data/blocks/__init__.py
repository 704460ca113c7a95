"""Rows that come in blocks, since they are too many for memory, or lie elsewhere.

``block.py`` says what a block is, and what a source of blocks must be able to do: work on every block where it lies,
and hand the results over in order. ``cutting.py`` cuts what readers decode into blocks by row number alone.
``looking.py`` is the one pass that finds out what there is to know of all rows, and keeps some of them
(``sampled_rows.py``); ``facts.py`` makes of it what a fit asks for, ``reading.py`` how it reads every block from then
on. ``local.py`` is a source in this process, which decodes files one block ahead, and ``watched.py`` tells somebody how
far a pass has come; ``selection.py`` says which columns are what. The other files decode. ``readers.py`` says who reads
what users hand in: ``arrays.py`` also mapped files, ``arrow.py`` Parquet and what else pyarrow reads, ``text.py`` text.
``files.py`` says which files there are, ``alike.py`` that they have the same columns, ``unchanged.py`` that they stay
what they are; ``caching.py`` keeps what was decoded, ``partition_files.py`` where several processes map it;
``dask_parts.py`` has what lies on Dask's workers. Whoever visits blocks in other processes lives in ``sweeps``.
"""
