"""Small panels of vectors that stay in registers, and the products of linear algebra on them.

A panel of r × c vectors is r·c registers; its shape belongs to its type, so that every operation is unrolled by the
compiler and one kernel text serves panels of four rows and the rows that remain. ``lines(n)`` is a number of rows or
columns that is known to the compiler. With ``NUMBA_DISABLE_JIT=1`` the names are NumPy functions (``vector_numpy.py``).
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from fastgmm.kernels.numba_ import vector_numpy
from fastgmm.kernels.numba_.lowering import (
    Vector,
    broadcast_number,
    element_pointer,
    fold_halves,
    is_double,
    load_vector,
    multiply_add,
    starts_of_lanes,
    store_vector,
    sum_of_four,
    transposed,
    widen,
)


class Lines(types.Type):
    """The Numba type of a number known when compiling."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Lines({count})")


register_model(Lines)(models.OpaqueModel)


class Panel(types.Type):
    """The Numba type of ``rows`` × ``columns`` vectors."""

    def __init__(self, dtype: Any, rows: int, columns: int) -> None:
        self.dtype, self.rows, self.columns = dtype, rows, columns
        super().__init__(name=f"Panel({dtype}, {rows}, {columns})")


@register_model(Panel)
class _PanelModel(models.PrimitiveModel):
    def __init__(self, data_model_manager: Any, panel: Panel) -> None:
        vector = data_model_manager.lookup(Vector(panel.dtype)).get_data_type()
        super().__init__(data_model_manager, panel, ir.LiteralStructType([vector] * (panel.rows * panel.columns)))


def vectors_of(builder: Any, panel: Any) -> list[Any]:
    return [builder.extract_value(panel, i) for i in range(len(panel.type.elements))]


def pack_panel(builder: Any, vectors: list[Any]) -> Any:
    panel = ir.Constant(ir.LiteralStructType([vector.type for vector in vectors]), ir.Undefined)
    for i, vector in enumerate(vectors):
        panel = builder.insert_value(panel, vector, i)
    return panel


def offset(builder: Any, start: Any, step: Any, times: int) -> Any:
    return builder.add(start, builder.mul(step, ir.Constant(step.type, times)))


@intrinsic(prefer_literal=True)
def lines(typing_context: Any, count: Any) -> Any:
    """The literal ``count`` as a type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_dummy_value()

    return Lines(count.literal_value)(count), generate


@intrinsic
def count_of(typing_context: Any, count: Any) -> Any:
    """The number that ``lines`` made a type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, count.count)

    return types.intp(count), generate


@intrinsic
def zeros(typing_context: Any, like: Any, rows: Any, columns: Any) -> Any:
    """A panel of zeros in the dtype of ``like``."""
    panel = Panel(like.dtype, rows.count, columns.count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(context.get_value_type(Vector(like.dtype)), None)
        return pack_panel(builder, [zero] * (panel.rows * panel.columns))

    return panel(like, rows, columns), generate


@intrinsic(prefer_literal=True)
def vector_of(typing_context: Any, panel: Any, index: Any) -> Any:
    """The vector at the literal ``index`` of a panel, counted along its rows."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.extract_value(arguments[0], index.literal_value)

    return Vector(panel.dtype)(panel, index), generate


@intrinsic
def load_panel(typing_context: Any, where: Any, start: Any, step: Any, rows: Any, columns: Any) -> Any:
    """The vectors at ``start + row·step + column·lanes``."""
    panel = Panel(where.dtype, rows.count, columns.count)
    width = Vector(where.dtype).lanes

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = []
        for row in range(panel.rows):
            at = offset(builder, arguments[1], arguments[2], row)
            for column in range(panel.columns):
                index = builder.add(at, ir.Constant(at.type, column * width))
                vectors.append(load_vector(context, builder, where, arguments[0], index))
        return pack_panel(builder, vectors)

    return panel(where, types.intp, types.intp, rows, columns), generate


@intrinsic
def store_panel(typing_context: Any, where: Any, start: Any, step: Any, panel: Any) -> Any:
    """Store vectors at ``start + row·step + column·lanes``."""
    width = Vector(where.dtype).lanes

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = vectors_of(builder, arguments[3])
        for row in range(panel.rows):
            at = offset(builder, arguments[1], arguments[2], row)
            for column in range(panel.columns):
                index = builder.add(at, ir.Constant(at.type, column * width))
                vector = vectors[row * panel.columns + column]
                store_vector(context, builder, where, arguments[0], index, vector)
        return context.get_dummy_value()

    return types.void(where, types.intp, types.intp, panel), generate


def _load_row(context: Any, builder: Any, where_type: Any, where: Any, index: Any, vector_type: Any) -> Any:
    """``where[index : index + count]``, converted to the vector type."""
    element = context.get_value_type(where_type.dtype)
    pointer = element_pointer(context, builder, where_type, where, index)
    pointer = builder.bitcast(pointer, ir.VectorType(element, vector_type.count).as_pointer())
    row = builder.load(pointer, align=where_type.dtype.bitwidth // 8)
    if row.type == vector_type:
        return row
    return builder.fpext(row, vector_type) if is_double(vector_type) else builder.fptrunc(row, vector_type)


@intrinsic
def load_transposed(typing_context: Any, where: Any, starts: Any, offset: Any, like: Any, columns: Any) -> Any:
    """A vector for every column c: ``where[start + offset + c]`` in its lanes, converted to the dtype of ``like``.

    The same as ``gather`` from every column, but whole rows are read, which takes a quarter to a third less time.
    """
    panel = Panel(like.dtype, columns.count, 1)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        full = context.get_value_type(Vector(like.dtype))
        row_type = ir.VectorType(full.element, panel.rows)
        rows = []
        for start in starts_of_lanes(context, builder, starts, arguments[1], full.count):
            index = builder.add(start, arguments[2])
            rows.append(_load_row(context, builder, where, arguments[0], index, row_type))
        return pack_panel(builder, transposed(builder, rows))

    return panel(where, starts, types.intp, like, columns), generate


@intrinsic
def subtract_center(typing_context: Any, panel: Any, center: Any, feature: Any) -> Any:
    """Rows of features ``feature, feature + 1, …`` less the center's; see ``tile.set_center``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = vectors_of(builder, arguments[0])
        two = ir.Constant(arguments[2].type, 2)
        for row in range(panel.rows):
            at = builder.mul(two, builder.add(arguments[2], ir.Constant(two.type, row)))
            parts = [broadcast_number(context, builder, center, arguments[1], at)]
            if center.dtype == types.float32:
                low = builder.add(at, ir.Constant(two.type, 1))
                parts.append(broadcast_number(context, builder, center, arguments[1], low))
            for column in range(panel.columns):
                for part in parts:
                    i = row * panel.columns + column
                    vectors[i] = builder.fsub(vectors[i], part)
        return pack_panel(builder, vectors)

    return panel(panel, center, types.intp), generate


@intrinsic
def scale_rows(typing_context: Any, panel: Any, vector: Any) -> Any:
    """Every vector of the panel times ``vector``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return pack_panel(builder, [builder.fmul(each, arguments[1]) for each in vectors_of(builder, arguments[0])])

    return panel(panel, vector), generate


@intrinsic
def scale_each(typing_context: Any, panel: Any, where: Any, start: Any) -> Any:
    """Row r of the panel times ``where[start + r]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = vectors_of(builder, arguments[0])
        for row in range(panel.rows):
            at = builder.add(arguments[2], ir.Constant(arguments[2].type, row))
            scale = broadcast_number(context, builder, where, arguments[1], at)
            for i in range(row * panel.columns, (row + 1) * panel.columns):
                vectors[i] = builder.fmul(vectors[i], scale)
        return pack_panel(builder, vectors)

    return panel(panel, where, types.intp), generate


@intrinsic
def add_scaled(typing_context: Any, sums: Any, vector: Any, panel: Any) -> Any:
    """``sums + vector·panel``, vector by vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(vectors_of(builder, arguments[0]), vectors_of(builder, arguments[2]), strict=True)
        return pack_panel(builder, [multiply_add(builder, arguments[1], each, total) for total, each in pairs])

    return sums(sums, vector, panel), generate


@intrinsic
def add_vectors(typing_context: Any, sums: Any, panel: Any) -> Any:
    """``sums + panel``, vector by vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(vectors_of(builder, arguments[0]), vectors_of(builder, arguments[1]), strict=True)
        return pack_panel(builder, [builder.fadd(total, each) for total, each in pairs])

    return sums(sums, panel), generate


@intrinsic
def add_products(typing_context: Any, sums: Any, x: Any, y: Any) -> Any:
    """``sums + x·y``, vector by vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        triples = zip(*(vectors_of(builder, argument) for argument in arguments), strict=True)
        return pack_panel(builder, [multiply_add(builder, left, right, total) for total, left, right in triples])

    return sums(sums, x, y), generate


def _add_column(
    context: Any, builder: Any, y: list[Any], where: Any, factor: Any, at: Any, step: Any, z: list[Any], first: int = 0
) -> None:
    """``y[row] += factor[at + row·step]·z`` for the rows from ``first`` on; z is one row of vectors."""
    columns = len(z)
    for row in range(first, len(y) // columns):
        f = broadcast_number(context, builder, where, factor, offset(builder, at, step, row))
        for column in range(columns):
            i = row * columns + column
            y[i] = multiply_add(builder, f, z[column], y[i])


@intrinsic
def add_column(typing_context: Any, y: Any, factor: Any, at: Any, step: Any, z: Any) -> Any:
    """``y[row] + factor[at + row·step]·z`` for every row of y: a column of a matrix times an entry of a vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums = vectors_of(builder, arguments[0])
        z_vectors = vectors_of(builder, arguments[4])
        _add_column(context, builder, sums, factor, arguments[1], arguments[2], arguments[3], z_vectors)
        return pack_panel(builder, sums)

    return y(y, factor, types.intp, types.intp, z), generate


@intrinsic
def add_triangle(typing_context: Any, y: Any, factor: Any, at: Any, step: Any, z: Any) -> Any:
    """``y + F·z`` with F the lower triangle of ``factor[at + row·step + column]``; z has as many rows as y."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, vectors = vectors_of(builder, arguments[0]), vectors_of(builder, arguments[4])
        for column in range(y.rows):
            start = builder.add(arguments[2], ir.Constant(arguments[2].type, column))
            z_column = vectors[column * y.columns : (column + 1) * y.columns]
            _add_column(context, builder, sums, factor, arguments[1], start, arguments[3], z_column, column)
        return pack_panel(builder, sums)

    return y(y, factor, types.intp, types.intp, z), generate


@intrinsic
def add_squares(typing_context: Any, sums: Any, panel: Any) -> Any:
    """``sums[column] + Σ panel[row, column]²``; ``sums`` is one row of vectors."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        totals = vectors_of(builder, arguments[0])
        for i, vector in enumerate(vectors_of(builder, arguments[1])):
            totals[i % panel.columns] = multiply_add(builder, vector, vector, totals[i % panel.columns])
        return pack_panel(builder, totals)

    return sums(sums, panel), generate


@intrinsic
def add_outer(typing_context: Any, sums: Any, x: Any, y: Any) -> Any:
    """``sums + x·yᵀ`` of two columns of vectors."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        totals, left, right = (vectors_of(builder, argument) for argument in arguments)
        for row in range(sums.rows):
            for column in range(sums.columns):
                i = row * sums.columns + column
                totals[i] = multiply_add(builder, left[row], right[column], totals[i])
        return pack_panel(builder, totals)

    return sums(sums, x, y), generate


@intrinsic
def add_lower_outer(typing_context: Any, sums: Any, x: Any) -> Any:
    """``sums + x·xᵀ`` of a column of vectors, on and below the diagonal."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        totals, vectors = (vectors_of(builder, argument) for argument in arguments)
        for row in range(sums.rows):
            for column in range(row + 1):
                i = row * sums.columns + column
                totals[i] = multiply_add(builder, vectors[row], vectors[column], totals[i])
        return pack_panel(builder, totals)

    return sums(sums, x), generate


@intrinsic
def add_panel_sums(typing_context: Any, array: Any, start: Any, step: Any, panel: Any) -> Any:
    """``array[start + row·step + column] += sum of the lanes``; the array is float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = [widen(builder, vector) for vector in vectors_of(builder, arguments[3])]
        for row in range(panel.rows):
            at = offset(builder, arguments[1], arguments[2], row)
            pointer = element_pointer(context, builder, array, arguments[0], at)
            of_row = vectors[row * panel.columns : (row + 1) * panel.columns]
            _add_sums_of_vectors(builder, pointer, of_row)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, panel), generate


def _add_sums_of_vectors(builder: Any, pointer: Any, vectors: list[Any]) -> None:
    """Add the lanes' sums of neighbors; four at once share their shuffles."""
    if len(vectors) == 4:
        sums = sum_of_four(builder, vectors)
        pointer = builder.bitcast(pointer, sums.type.as_pointer())
        builder.store(builder.fadd(builder.load(pointer, align=8), sums), pointer, align=8)
        return
    for i, vector in enumerate(vectors):
        at = builder.gep(pointer, [ir.Constant(ir.IntType(64), i)])
        folded = fold_halves(builder, vector, until=1)
        total = builder.extract_element(folded, ir.Constant(ir.IntType(32), 0))
        builder.store(builder.fadd(builder.load(at), total), at)


if numba.config.DISABLE_JIT:
    lines = vector_numpy.lines
    count_of = vector_numpy.count_of
    zeros = vector_numpy.zeros
    vector_of = vector_numpy.vector_of
    load_panel = vector_numpy.load_panel
    store_panel = vector_numpy.store_panel
    load_transposed = vector_numpy.load_transposed
    subtract_center = vector_numpy.subtract_center
    scale_rows = vector_numpy.scale_rows
    scale_each = vector_numpy.scale_each
    add_scaled = vector_numpy.add_scaled
    add_vectors = vector_numpy.add_vectors
    add_products = vector_numpy.add_products
    add_column = vector_numpy.add_column
    add_triangle = vector_numpy.add_triangle
    add_squares = vector_numpy.add_squares
    add_outer = vector_numpy.add_outer
    add_lower_outer = vector_numpy.add_lower_outer
    add_panel_sums = vector_numpy.add_panel_sums
