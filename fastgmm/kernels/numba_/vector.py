"""A vector of numbers that Numba compiles to one machine register, and the few operations kernels need on it.

Numba's loop vectorizer cannot keep a panel of accumulators in registers across a loop. These intrinsics say
directly what is meant: ``load`` eight neighboring points, multiply-add, keep the result in a register.
LLVM lowers the vectors to whatever the machine has (AVX-512, AVX2, NEON, SSE).

With ``NUMBA_DISABLE_JIT=1`` the names are NumPy functions on short arrays instead (``vector_numpy.py``), so
that a kernel can be stepped through in a debugger and its logic tested without the compiler.
"""

import operator
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, type_callable

from fastgmm.kernels.numba_ import vector_numpy
from fastgmm.kernels.numba_.lowering import (
    I32,
    Pointer,
    Vector,
    broadcast_number,
    call_vector_function,
    constant_vector,
    element_pointer,
    fold_halves,
    integers_like,
    is_double,
    load_vector,
    multiply_add,
    splat,
    starts_of_lanes,
    store_vector,
    widen,
)


@intrinsic
def pointer(typing_context: Any, where: Any, index: Any) -> Any:
    """The address of ``where[index]``, in a contiguous array or behind another pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return element_pointer(context, builder, where, *arguments)

    return Pointer(where.dtype)(where, types.intp), generate


@intrinsic
def number(typing_context: Any, where: Any, index: Any) -> Any:
    """``where[index]``, a single number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(element_pointer(context, builder, where, *arguments))

    return where.dtype(where, types.intp), generate


@intrinsic
def put(typing_context: Any, where: Any, index: Any, value: Any) -> Any:
    """``where[index] = value``, converted to the dtype of ``where``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        converted = context.cast(builder, arguments[2], value, where.dtype)
        builder.store(converted, element_pointer(context, builder, where, *arguments[:2]))
        return context.get_dummy_value()

    return types.void(where, types.intp, value), generate


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
        return load_vector(context, builder, array, *arguments)

    return vector(array, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """``array[index : index + lanes] = vector``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        store_vector(context, builder, array, *arguments)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def broadcast(typing_context: Any, array: Any, index: Any) -> Any:
    """``array[index]`` in every lane."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return broadcast_number(context, builder, array, *arguments)

    return vector(array, types.intp), generate


@intrinsic
def constant(typing_context: Any, like: Any, value: Any) -> Any:
    """A float64 value, rounded to the dtype of ``like`` (an array or a vector), in every lane."""
    vector = Vector(like.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector_type = context.get_value_type(vector)
        scalar = arguments[1]
        if not is_double(vector_type):
            scalar = builder.fptrunc(scalar, vector_type.element)
        return splat(builder, scalar, vector_type)

    return vector(like, types.float64), generate


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a·b + c``, in one instruction where the machine has one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return multiply_add(builder, *arguments)

    return a(a, b, c), generate


@intrinsic
def gather(typing_context: Any, array: Any, starts: Any, offset: Any, like: Any) -> Any:
    """``array[start + offset]`` in every lane, converted to the dtype of ``like``.

    ``starts`` is a pair (first, step), or a pointer to a number for each lane.
    """
    vector = Vector(like.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        gathered = ir.Constant(context.get_value_type(vector), ir.Undefined)
        for lane, start in enumerate(starts_of_lanes(context, builder, starts, arguments[1], vector.lanes)):
            index = builder.add(start, arguments[2])
            scalar = builder.load(element_pointer(context, builder, array, arguments[0], index))
            scalar = context.cast(builder, scalar, array.dtype, like.dtype)
            gathered = builder.insert_element(gathered, scalar, ir.Constant(I32, lane))
        return gathered

    return vector(array, starts, types.intp, like), generate


@intrinsic
def prefetch(typing_context: Any, where: Any, index: Any) -> Any:
    """Ask for the cache line of ``where[index]``, which may lie anywhere."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.bitcast(element_pointer(context, builder, where, *arguments), ir.IntType(8).as_pointer())
        function_type = ir.FunctionType(ir.VoidType(), [address.type, I32, I32, I32])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        # To read, data, to be kept in all caches but the smallest: a tile needs that one now.
        builder.call(function, [address, ir.Constant(I32, 0), ir.Constant(I32, 2), ir.Constant(I32, 1)])
        return context.get_dummy_value()

    return types.void(where, types.intp), generate


@intrinsic
def square_root(typing_context: Any, vector: Any) -> Any:
    """√ of every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call_vector_function(builder, "llvm.sqrt", arguments)

    return vector(vector), generate


@intrinsic
def lanes_less(typing_context: Any, a: Any, b: Any) -> Any:
    """An integer with a bit for every lane, 1 where ``a < b``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        condition = builder.fcmp_ordered("<", arguments[0], arguments[1])
        bits = builder.bitcast(condition, ir.IntType(arguments[0].type.count))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(a, b), generate


@intrinsic
def count_ones(typing_context: Any, bits: Any) -> Any:
    """How many bits of an integer are 1."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


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
        integers = integers_like(vector_type)
        mantissa_bits = constant_vector(integers, 52 if is_double(vector_type) else 23)
        bits = builder.bitcast(arguments[0], integers)
        exponent = builder.shl(builder.bitcast(arguments[1], integers), mantissa_bits)
        return builder.bitcast(builder.add(bits, exponent), vector_type)

    return vector(vector, shifted), generate


# The bits of √½: subtracting them before taking the exponent puts the mantissa into [√½, √2).
_ROOT_HALF_BITS = {64: 0x3FE6A09E667F3BCD, 32: 0x3F3504F3}


def _binary_exponent(builder: Any, vector: Any) -> tuple[Any, Any, Any]:
    integers = integers_like(vector.type)
    width = integers.element.width
    bits = builder.bitcast(vector, integers)
    shift = constant_vector(integers, 52 if width == 64 else 23)
    above = builder.sub(bits, constant_vector(integers, _ROOT_HALF_BITS[width]))
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


@intrinsic
def largest_lane(typing_context: Any, vector: Any) -> Any:
    """The largest of the lanes, none of which is NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lane = [builder.extract_element(arguments[0], ir.Constant(I32, i)) for i in range(vector.lanes)]
        largest = lane[0]
        for each in lane[1:]:
            largest = builder.select(builder.fcmp_ordered("<", largest, each), each, largest)
        return largest

    return vector.dtype(vector), generate


@intrinsic
def add_sum(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """``array[index] += sum of the lanes``; the array is float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(context, builder, array, *arguments[:2])
        folded = fold_halves(builder, widen(builder, arguments[2]), until=1)
        total = builder.extract_element(folded, ir.Constant(I32, 0))
        builder.store(builder.fadd(builder.load(pointer), total), pointer)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def lowest_one(typing_context: Any, bits: Any) -> Any:
    """The position of the lowest 1 of an integer that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


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
    pointer = vector_numpy.pointer
    prefetch = vector_numpy.prefetch
    number = vector_numpy.number
    put = vector_numpy.put
    lanes = vector_numpy.lanes
    is_single = vector_numpy.is_single
    load = vector_numpy.load
    store = vector_numpy.store
    gather = vector_numpy.gather
    broadcast = vector_numpy.broadcast
    constant = vector_numpy.constant
    fma = vector_numpy.fma
    where_less = vector_numpy.where_less
    square_root = vector_numpy.square_root
    lanes_less = vector_numpy.lanes_less
    count_ones = vector_numpy.count_ones
    lowest_one = vector_numpy.lowest_one
    add_exponent = vector_numpy.add_exponent
    exponent = vector_numpy.exponent
    mantissa = vector_numpy.mantissa
    largest_lane = vector_numpy.largest_lane
    add_sum = vector_numpy.add_sum
