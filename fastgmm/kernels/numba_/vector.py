"""A vector of numbers that Numba compiles to one machine register, and the few operations kernels need on it.

Numba's loop vectorizer cannot keep a block of accumulators in registers across a loop. These intrinsics say
directly what is meant: ``load`` eight neighboring points, multiply-add, keep the result in a register.
LLVM lowers the vectors to whatever the machine has (AVX-512, AVX2, NEON, SSE).

With ``NUMBA_DISABLE_JIT=1`` the names are NumPy functions on short arrays instead (``vector_numpy.py``), so
that a kernel can be stepped through in a debugger and its logic tested without the compiler.
"""

import operator
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from fastgmm.kernels.numba_ import vector_numpy

# A 64-byte register where the machine has AVX-512, a 32-byte one elsewhere. `numba.config.CPU_NAME` lets a
# developer compile for a smaller machine, so its features count before the host's.
_FEATURES = numba.config.CPU_FEATURES or llvmlite.binding.get_host_cpu_features().flatten()
VECTOR_BYTES = 64 if "+avx512f" in _FEATURES else 32


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


_I32 = ir.IntType(32)
_DOUBLE = ir.DoubleType()


def _is_double(vector_type: Any) -> bool:
    return isinstance(vector_type.element, ir.DoubleType)


def _integers_like(vector_type: Any) -> Any:
    """The integer vector type with the same bits as a float vector type."""
    return ir.VectorType(ir.IntType(64 if _is_double(vector_type) else 32), vector_type.count)


def _splat(builder: Any, scalar: Any, vector_type: Any) -> Any:
    undefined = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    return _shuffle(builder, first, first, [0] * vector_type.count)


def _shuffle(builder: Any, left: Any, right: Any, positions: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_I32, len(positions)), positions)
    return builder.shuffle_vector(left, right, mask)


def _constant_vector(vector_type: Any, value: Any) -> Any:
    return ir.Constant(vector_type, [value] * vector_type.count)


def _element_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def lanes(typing_context: Any, array: Any) -> Any:
    """How many numbers of the array's dtype a vector holds: a constant at compile time."""
    count = Vector(array.dtype).lanes

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(array), generate


@intrinsic
def is_single(typing_context: Any, vector: Any) -> Any:
    """Whether the vector holds float32: a constant at compile time, so the other branch costs nothing."""
    single = vector.dtype == types.float32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.boolean, single)

    return types.boolean(vector), generate


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """``array[index : index + lanes]``; the array is contiguous, any alignment will do."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _element_pointer(context, builder, array, *arguments)
        pointer = builder.bitcast(pointer, context.get_value_type(vector).as_pointer())
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return vector(array, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """``array[index : index + lanes] = vector``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _element_pointer(context, builder, array, *arguments[:2])
        pointer = builder.bitcast(pointer, arguments[2].type.as_pointer())
        builder.store(arguments[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def broadcast(typing_context: Any, array: Any, index: Any) -> Any:
    """``array[index]`` in every lane."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scalar = builder.load(_element_pointer(context, builder, array, *arguments))
        return _splat(builder, scalar, context.get_value_type(vector))

    return vector(array, types.intp), generate


@intrinsic
def constant(typing_context: Any, like: Any, value: Any) -> Any:
    """A float64 value, rounded to the dtype of ``like`` (an array or a vector), in every lane."""
    vector = Vector(like.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector_type = context.get_value_type(vector)
        scalar = arguments[1]
        if not _is_double(vector_type):
            scalar = builder.fptrunc(scalar, vector_type.element)
        return _splat(builder, scalar, vector_type)

    return vector(like, types.float64), generate


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a·b + c``, in one instruction where the machine has one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector_type = arguments[0].type
        name = f"llvm.fmuladd.v{vector_type.count}f{64 if _is_double(vector_type) else 32}"
        function_type = ir.FunctionType(vector_type, [vector_type] * 3)
        function = cgutils.get_or_insert_function(builder.module, function_type, name)
        return builder.call(function, arguments)

    return a(a, b, c), generate


@intrinsic
def subtract_scalar(typing_context: Any, vector: Any, array: Any, index: Any) -> Any:
    """``vector − array[index]`` computed in float64 (the array's dtype) and rounded once to the vector's dtype."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector_type = arguments[0].type
        wide_type = ir.VectorType(_DOUBLE, vector_type.count)
        scalar = builder.load(_element_pointer(context, builder, array, *arguments[1:]))
        wide = arguments[0] if _is_double(vector_type) else builder.fpext(arguments[0], wide_type)
        difference = builder.fsub(wide, _splat(builder, scalar, wide_type))
        return difference if _is_double(vector_type) else builder.fptrunc(difference, vector_type)

    return vector(vector, array, types.intp), generate


@intrinsic
def where_less(typing_context: Any, a: Any, b: Any, then: Any, otherwise: Any) -> Any:
    """``then`` in the lanes with ``a < b``, ``otherwise`` in the rest (also where a or b is NaN)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        condition = builder.fcmp_ordered("<", arguments[0], arguments[1])
        return builder.select(condition, arguments[2], arguments[3])

    return then(a, b, then, otherwise), generate


@intrinsic
def add_exponent(typing_context: Any, vector: Any, shifted: Any) -> Any:
    """``vector · 2ⁿ`` where ``shifted = n + 1.5·2⁵²`` (``2²³`` in float32), by adding n to the exponent bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector_type = arguments[0].type
        integers = _integers_like(vector_type)
        mantissa_bits = _constant_vector(integers, 52 if _is_double(vector_type) else 23)
        bits = builder.bitcast(arguments[0], integers)
        exponent = builder.shl(builder.bitcast(arguments[1], integers), mantissa_bits)
        return builder.bitcast(builder.add(bits, exponent), vector_type)

    return vector(vector, shifted), generate


# The bits of √½: subtracting them before taking the exponent puts the mantissa into [√½, √2).
_ROOT_HALF_BITS = {64: 0x3FE6A09E667F3BCD, 32: 0x3F3504F3}


def _binary_exponent(builder: Any, vector: Any) -> tuple[Any, Any, Any]:
    integers = _integers_like(vector.type)
    width = integers.element.width
    bits = builder.bitcast(vector, integers)
    shift = _constant_vector(integers, 52 if width == 64 else 23)
    above = builder.sub(bits, _constant_vector(integers, _ROOT_HALF_BITS[width]))
    return bits, builder.ashr(above, shift), shift


@intrinsic
def exponent(typing_context: Any, vector: Any) -> Any:
    """The integer e of ``x = m·2ᵉ`` with m in [√½, √2), as a float; x positive and normal."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, power, _ = _binary_exponent(builder, arguments[0])
        return builder.sitofp(power, arguments[0].type)

    return vector(vector), generate


@intrinsic
def mantissa(typing_context: Any, vector: Any) -> Any:
    """The m of ``x = m·2ᵉ`` with m in [√½, √2); x positive and normal."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits, power, shift = _binary_exponent(builder, arguments[0])
        return builder.bitcast(builder.sub(bits, builder.shl(power, shift)), arguments[0].type)

    return vector(vector), generate


def _widen(builder: Any, vector: Any) -> Any:
    """Float32 lanes folded in two as float64, so that a sum over lanes loses nothing more."""
    if _is_double(vector.type):
        return vector
    half = vector.type.count // 2
    wide_type = ir.VectorType(_DOUBLE, half)
    low = builder.fpext(_shuffle(builder, vector, vector, list(range(half))), wide_type)
    high = builder.fpext(_shuffle(builder, vector, vector, list(range(half, 2 * half))), wide_type)
    return builder.fadd(low, high)


def _fold_halves(builder: Any, vector: Any, until: int) -> Any:
    while vector.type.count > until:
        half = vector.type.count // 2
        low = _shuffle(builder, vector, vector, list(range(half)))
        high = _shuffle(builder, vector, vector, list(range(half, 2 * half)))
        vector = builder.fadd(low, high)
    return vector


@intrinsic
def add_sum(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """``array[index] += sum of the lanes``; the array is float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _element_pointer(context, builder, array, *arguments[:2])
        folded = _fold_halves(builder, _widen(builder, arguments[2]), until=1)
        total = builder.extract_element(folded, ir.Constant(_I32, 0))
        builder.store(builder.fadd(builder.load(pointer), total), pointer)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def add_sums(typing_context: Any, array: Any, index: Any, v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    """``array[index + i] += sum of the lanes of vᵢ`` for i = 0 … 3; the array is float64.

    Four sums at once share their shuffles: lanes are first interleaved in pairs, then in fours, and a third of
    the instructions of four separate sums remains.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b, c, d = (_widen(builder, vector) for vector in arguments[2:])
        count = a.type.count
        even = [lane + side for lane in range(0, count, 2) for side in (0, count)]
        odd = [position + 1 for position in even]
        ab = builder.fadd(_shuffle(builder, a, b, even), _shuffle(builder, a, b, odd))
        cd = builder.fadd(_shuffle(builder, c, d, even), _shuffle(builder, c, d, odd))
        low = [lane + i for lane in range(0, count, 4) for i in (0, 1, count, count + 1)]
        high = [position + 2 for position in low]
        sums = builder.fadd(_shuffle(builder, ab, cd, low), _shuffle(builder, ab, cd, high))
        sums = _fold_halves(builder, sums, until=4)
        pointer = _element_pointer(context, builder, array, *arguments[:2])
        pointer = builder.bitcast(pointer, sums.type.as_pointer())
        builder.store(builder.fadd(builder.load(pointer, align=8), sums), pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, v0, v1, v2, v3), generate


def _define_operator(function: Any, instruction: str) -> None:
    @type_callable(function)
    def _type(context: Any) -> Any:
        def typer(a: Any, b: Any) -> Any:
            return a if isinstance(a, Vector) and a == b else None

        return typer

    @lower_builtin(function, Vector, Vector)
    def _lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments)


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")
_define_operator(operator.truediv, "fdiv")

if numba.config.DISABLE_JIT:
    lanes = vector_numpy.lanes
    is_single = vector_numpy.is_single
    load = vector_numpy.load
    store = vector_numpy.store
    broadcast = vector_numpy.broadcast
    constant = vector_numpy.constant
    fma = vector_numpy.fma
    subtract_scalar = vector_numpy.subtract_scalar
    where_less = vector_numpy.where_less
    add_exponent = vector_numpy.add_exponent
    exponent = vector_numpy.exponent
    mantissa = vector_numpy.mantissa
    add_sum = vector_numpy.add_sum
    add_sums = vector_numpy.add_sums
