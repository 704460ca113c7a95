"""The process we live in: signals, forks, threads, memory in pieces, files that appear whole.

What is here knows nothing of mixtures. ``waiting.py`` has a thread do what takes long while the main thread answers
signals, ``forks.py`` holds locks across forks, ``threads.py`` says how many threads there may be, ``pieces.py`` bounds
what one call of NumPy touches, ``memory.py`` has large arrays whose memory goes back at once, ``ahead.py`` makes items
before they are asked for, and ``whole_file.py`` writes files that are there wholly or not at all.
"""
