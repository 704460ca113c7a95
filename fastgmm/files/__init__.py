"""Models and moments as files, checked to the bit when they are read: each on ``members.py`` and ``archive.py``.

``onnx_file.py`` makes graphs of models for other programs, which nothing here reads.
"""
