"""How Numba sees vectors and pointers, and the LLVM instructions that ``vector.py`` and ``panels.py`` share."""

from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model

# A 64-byte register where the machine has AVX-512, a 32-byte one elsewhere. `numba.config.CPU_NAME` lets a
# developer compile for a smaller machine, so its features count before the host's.
_FEATURES = numba.config.CPU_FEATURES or llvmlite.binding.get_host_cpu_features().flatten()
VECTOR_BYTES = 64 if "+avx512f" in _FEATURES else 32


class Pointer(types.Type):
    """The Numba type of an address of numbers: an array costs a dozen registers in a call, and its indices are checked
    for being negative."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"Pointer({dtype})")


@register_model(Pointer)
class _PointerModel(models.PrimitiveModel):
    def __init__(self, data_model_manager: Any, pointer: Pointer) -> None:
        element = data_model_manager.lookup(pointer.dtype).get_data_type()
        super().__init__(data_model_manager, pointer, element.as_pointer())


class Vector(types.Type):
    """The Numba type of ``lanes`` numbers of one dtype held in a register."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.lanes = 8 * VECTOR_BYTES // dtype.bitwidth
        super().__init__(name=f"Vector({dtype}, {self.lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, data_model_manager: Any, vector: Vector) -> None:
        element = ir.DoubleType() if vector.dtype == types.float64 else ir.FloatType()
        super().__init__(data_model_manager, vector, ir.VectorType(element, vector.lanes))


I32 = ir.IntType(32)
DOUBLE = ir.DoubleType()


def is_double(vector_type: Any) -> bool:
    return isinstance(vector_type.element, ir.DoubleType)


def integers_like(vector_type: Any) -> Any:
    """The integer vector type with the same bits as a float vector type."""
    return ir.VectorType(ir.IntType(64 if is_double(vector_type) else 32), vector_type.count)


def splat(builder: Any, scalar: Any, vector_type: Any) -> Any:
    undefined = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    return shuffle(builder, first, first, [0] * vector_type.count)


def shuffle(builder: Any, left: Any, right: Any, positions: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(I32, len(positions)), positions)
    return builder.shuffle_vector(left, right, mask)


def constant_vector(vector_type: Any, value: Any) -> Any:
    return ir.Constant(vector_type, [value] * vector_type.count)


def element_pointer(context: Any, builder: Any, where_type: Any, where: Any, index: Any) -> Any:
    """The address of ``where[index]``, of a pointer or of an array as it lies in memory."""
    if not isinstance(where_type, Pointer):
        where = context.make_array(where_type)(context, builder, where).data
    return builder.gep(where, [index])


def load_vector(context: Any, builder: Any, where_type: Any, where: Any, index: Any) -> Any:
    """``where[index : index + lanes]``, at any alignment."""
    pointer = element_pointer(context, builder, where_type, where, index)
    pointer = builder.bitcast(pointer, context.get_value_type(Vector(where_type.dtype)).as_pointer())
    return builder.load(pointer, align=where_type.dtype.bitwidth // 8)


def store_vector(context: Any, builder: Any, where_type: Any, where: Any, index: Any, vector: Any) -> None:
    pointer = element_pointer(context, builder, where_type, where, index)
    builder.store(vector, builder.bitcast(pointer, vector.type.as_pointer()), align=where_type.dtype.bitwidth // 8)


def broadcast_number(context: Any, builder: Any, where_type: Any, where: Any, index: Any) -> Any:
    """``where[index]`` in every lane."""
    scalar = builder.load(element_pointer(context, builder, where_type, where, index))
    return splat(builder, scalar, context.get_value_type(Vector(where_type.dtype)))


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a·b + c``, in one instruction where the machine has one."""
    return call_vector_function(builder, "llvm.fmuladd", [a, b, c])


def starts_of_lanes(context: Any, builder: Any, starts_type: Any, starts: Any, count: int) -> list[Any]:
    """Where every lane's row begins: ``starts`` is a pair (first, step), or a pointer to a number for each."""
    if isinstance(starts_type, Pointer):
        lanes = [ir.Constant(ir.IntType(64), lane) for lane in range(count)]
        return [builder.load(element_pointer(context, builder, starts_type, starts, lane)) for lane in lanes]
    first, step = builder.extract_value(starts, 0), builder.extract_value(starts, 1)
    return [builder.add(first, builder.mul(step, ir.Constant(step.type, lane))) for lane in range(count)]


def call_vector_function(builder: Any, name: str, arguments: Any) -> Any:
    """Call one of LLVM's functions of vectors, ``llvm.fmuladd`` and its kin."""
    vector_type = arguments[0].type
    overload = f"{name}.v{vector_type.count}f{64 if is_double(vector_type) else 32}"
    function_type = ir.FunctionType(vector_type, [vector_type] * len(arguments))
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, overload), arguments)


def widen(builder: Any, vector: Any) -> Any:
    """Float32 lanes folded in two as float64, so that a sum over lanes loses nothing more."""
    if is_double(vector.type):
        return vector
    half = vector.type.count // 2
    wide_type = ir.VectorType(DOUBLE, half)
    low = builder.fpext(shuffle(builder, vector, vector, list(range(half))), wide_type)
    high = builder.fpext(shuffle(builder, vector, vector, list(range(half, 2 * half))), wide_type)
    return builder.fadd(low, high)


def fold_halves(builder: Any, vector: Any, until: int) -> Any:
    while vector.type.count > until:
        half = vector.type.count // 2
        low = shuffle(builder, vector, vector, list(range(half)))
        high = shuffle(builder, vector, vector, list(range(half, 2 * half)))
        vector = builder.fadd(low, high)
    return vector


def sum_of_four(builder: Any, wide: list[Any]) -> Any:
    """A vector of the lanes' sums of four float64 vectors.

    They share their shuffles: lanes are first interleaved in pairs, then in fours, and a third of the instructions of
    four separate sums remains.
    """
    a, b, c, d = wide
    count = a.type.count
    even = [lane + side for lane in range(0, count, 2) for side in (0, count)]
    odd = [position + 1 for position in even]
    ab = builder.fadd(shuffle(builder, a, b, even), shuffle(builder, a, b, odd))
    cd = builder.fadd(shuffle(builder, c, d, even), shuffle(builder, c, d, odd))
    low = [lane + i for lane in range(0, count, 4) for i in (0, 1, count, count + 1)]
    high = [position + 2 for position in low]
    sums = builder.fadd(shuffle(builder, ab, cd, low), shuffle(builder, ab, cd, high))
    return fold_halves(builder, sums, until=4)


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Vectors of columns, from as many rows as a vector has lanes; the length of a row is a power of 2."""
    size = rows[0].type.count
    # Squares of neighboring rows are put side by side until they fill vectors.
    squares = [rows[i : i + size] for i in range(0, len(rows), size)]
    while len(squares) > 1:
        both = list(range(2 * squares[0][0].type.count))
        pairs = zip(squares[::2], squares[1::2], strict=True)
        squares = [[shuffle(builder, *two, both) for two in zip(left, right, strict=True)] for left, right in pairs]
    vectors = squares[0]
    # All squares are transposed at once: their quarters off the diagonal change places, then those of the quarters.
    all_lanes = range(vectors[0].type.count)
    distance = size // 2
    while distance > 0:
        above = [lane + len(all_lanes) - distance if lane & distance else lane for lane in all_lanes]
        below = [lane + len(all_lanes) if lane & distance else lane + distance for lane in all_lanes]
        for i in range(size):
            if not i & distance:
                upper, lower = vectors[i], vectors[i + distance]
                vectors[i] = shuffle(builder, upper, lower, above)
                vectors[i + distance] = shuffle(builder, upper, lower, below)
        distance //= 2
    return vectors
