"""Panels that factor a matrix: blocks of four rows and columns of Cholesky's method, one matrix in every lane.

Negative matrices are factored, and forward substitution begins with negative differences, so that sums only add.
With ``NUMBA_DISABLE_JIT=1`` the names are NumPy functions (``vector_numpy.py``).
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastgmm.kernels.numba_ import vector_numpy
from fastgmm.kernels.numba_.lowering import (
    Vector,
    call_vector_function,
    constant_vector,
    element_pointer,
    load_vector,
    multiply_add,
    store_vector,
)
from fastgmm.kernels.numba_.panels import Panel, offset, pack_panel, vectors_of


@intrinsic
def load_scattered(typing_context: Any, where: Any, rows_at: Any, columns_at: Any, rows: Any, columns: Any) -> Any:
    """The vectors at ``rows_at[row] + columns_at[column]``."""
    panel = Panel(where.dtype, rows.count, columns.count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def numbers(kind: Any, address: Any, count: int) -> list[Any]:
            places = [ir.Constant(ir.IntType(64), i) for i in range(count)]
            return [builder.load(element_pointer(context, builder, kind, address, place)) for place in places]

        starts = numbers(rows_at, arguments[1], panel.rows)
        steps = numbers(columns_at, arguments[2], panel.columns)
        at = [builder.add(start, step) for start in starts for step in steps]
        return pack_panel(builder, [load_vector(context, builder, where, arguments[0], index) for index in at])

    return panel(where, rows_at, columns_at, rows, columns), generate


@intrinsic
def load_columns(typing_context: Any, where: Any, start: Any, step: Any, rows: Any, columns: Any) -> Any:
    """The vectors at ``start + column·step + row·lanes``."""
    panel = Panel(where.dtype, rows.count, columns.count)
    width = Vector(where.dtype).lanes

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = []
        for row in range(panel.rows):
            for column in range(panel.columns):
                at = offset(builder, arguments[1], arguments[2], column)
                index = builder.add(at, ir.Constant(at.type, row * width))
                vectors.append(load_vector(context, builder, where, arguments[0], index))
        return pack_panel(builder, vectors)

    return panel(where, types.intp, types.intp, rows, columns), generate


@intrinsic
def store_columns(typing_context: Any, where: Any, start: Any, step: Any, panel: Any) -> Any:
    """Store vectors at ``start + column·step + row·lanes``."""
    width = Vector(where.dtype).lanes

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = vectors_of(builder, arguments[3])
        for column in range(panel.columns):
            at = offset(builder, arguments[1], arguments[2], column)
            for row in range(panel.rows):
                index = builder.add(at, ir.Constant(at.type, row * width))
                store_vector(context, builder, where, arguments[0], index, vectors[row * panel.columns + column])
        return context.get_dummy_value()

    return types.void(where, types.intp, types.intp, panel), generate


@intrinsic
def factor(typing_context: Any, negative: Any) -> Any:
    """L with LLᵀ = −``negative``, lower triangular; NaN where there is none."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        entries, size = vectors_of(builder, arguments[0]), negative.rows
        zero = constant_vector(entries[0].type, 0.0)
        minus_one = constant_vector(entries[0].type, -1.0)
        for j in range(size):
            square = builder.fsub(zero, entries[j * size + j])
            entries[j * size + j] = call_vector_function(builder, "llvm.sqrt", [square])
            scale = builder.fdiv(minus_one, entries[j * size + j])
            for i in range(j + 1, size):
                entries[i * size + j] = builder.fmul(entries[i * size + j], scale)
                entries[j * size + i] = zero
                for k in range(j + 1, i + 1):
                    left, right = entries[i * size + j], entries[k * size + j]
                    entries[i * size + k] = multiply_add(builder, left, right, entries[i * size + k])
        return pack_panel(builder, entries)

    return negative(negative), generate


@intrinsic
def negative_inverses(typing_context: Any, square: Any) -> Any:
    """−1/L_jj, one row of vectors."""
    panel = Panel(square.dtype, 1, square.columns)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = vectors_of(builder, arguments[0])
        minus_one = constant_vector(vectors[0].type, -1.0)
        return pack_panel(builder, [builder.fdiv(minus_one, each) for each in vectors[:: square.columns + 1]])

    return panel(square), generate


@intrinsic
def solve_rows(typing_context: Any, negative: Any, triangle: Any, scales: Any) -> Any:
    """X with X·Lᵀ = −``negative``, from L and its ``negative_inverses``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        entries, lower, inverses = (vectors_of(builder, argument) for argument in arguments)
        size = negative.columns
        for j in range(size):
            for row in range(negative.rows):
                total = entries[row * size + j]
                for i in range(j):
                    total = multiply_add(builder, entries[row * size + i], lower[j * size + i], total)
                entries[row * size + j] = builder.fmul(total, inverses[j])
        return pack_panel(builder, entries)

    return negative(negative, triangle, scales), generate


if numba.config.DISABLE_JIT:
    load_scattered = vector_numpy.load_scattered
    load_columns = vector_numpy.load_columns
    store_columns = vector_numpy.store_columns
    factor = vector_numpy.factor
    negative_inverses = vector_numpy.negative_inverses
    solve_rows = vector_numpy.solve_rows
