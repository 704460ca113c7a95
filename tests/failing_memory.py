"""Not a test: memory for the numbers of NumPy's arrays, of which any one allocation can be made to fail."""

import ctypes
from contextlib import contextmanager

try:
    from numpy._core import _multiarray_umath
except ImportError:  # NumPy 1
    from numpy.core import _multiarray_umath

# Where two functions stand in NumPy's table for C.
_SET_HANDLER, _GET_HANDLER = 304, 305
# A capsule keeps the address of its name.
_NAME = b"mem_handler"

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t
# Called by those who hold the GIL, and calling in their turn those who release it.
_MALLOC = ctypes.PYFUNCTYPE(_POINTER, _POINTER, _SIZE)
_CALLOC = ctypes.PYFUNCTYPE(_POINTER, _POINTER, _SIZE, _SIZE)
_REALLOC = ctypes.PYFUNCTYPE(_POINTER, _POINTER, _POINTER, _SIZE)


class _Handler(ctypes.Structure):
    """``PyDataMem_Handler`` of NumPy's headers."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", _POINTER),
        ("malloc", _MALLOC),
        ("calloc", _CALLOC),
        ("realloc", _REALLOC),
        ("free", _POINTER),
    )


_new_capsule, _pointer_of = ctypes.pythonapi.PyCapsule_New, ctypes.pythonapi.PyCapsule_GetPointer
_new_capsule.restype, _new_capsule.argtypes = ctypes.py_object, (_POINTER, ctypes.c_char_p, _POINTER)
_pointer_of.restype, _pointer_of.argtypes = _POINTER, (ctypes.py_object, ctypes.c_char_p)

_table = ctypes.cast(_pointer_of(_multiarray_umath._ARRAY_API, None), ctypes.POINTER(_POINTER))
_set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(_table[_SET_HANDLER])
_get_handler = ctypes.PYFUNCTYPE(ctypes.py_object)(_table[_GET_HANDLER])
_usual = _Handler.from_address(_pointer_of(_get_handler(), _NAME))


class _Memory:
    """The usual one, that counts allocations and refuses one of them."""

    def __init__(self):
        self.n_allocations, self.refused = 0, None

    def _is_refused(self):
        self.n_allocations += 1
        return self.n_allocations == self.refused

    def malloc(self, context, size):
        return None if self._is_refused() else _usual.malloc(context, size)

    def calloc(self, context, n_items, size):
        return None if self._is_refused() else _usual.calloc(context, n_items, size)

    def realloc(self, context, memory, size):
        return None if self._is_refused() else _usual.realloc(context, memory, size)


_memory = _Memory()
# Arrays made with it may outlive every use of it. It frees without Python, where an exception may be under way.
_callbacks = _MALLOC(_memory.malloc), _CALLOC(_memory.calloc), _REALLOC(_memory.realloc)
_handler = _Handler(b"failing_memory", 1, _usual.context, *_callbacks, _usual.free)
_capsule = _new_capsule(ctypes.addressof(_handler), _NAME, None)


@contextmanager
def memory(refused=None):
    """The memory of this thread's arrays within the block, whose allocation number ``refused`` fails."""
    before = _set_handler(_capsule)
    _memory.n_allocations, _memory.refused = 0, refused
    try:
        yield _memory
    finally:
        _memory.refused = None
        _set_handler(before)
