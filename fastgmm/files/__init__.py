"""Models as files, which are checked to the bit when they are read: ``model_file.py`` on ``archive.py``."""
