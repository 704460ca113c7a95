"""DataFrames of Spark: which columns are asked for, and what of them is refused before anything is read."""

from typing import Any

import numpy as np

from fastgmm.data.blocks.block import Form
from fastgmm.data.blocks.selection import Asked, Selection

_NAME = "the DataFrame"
_NUMBERS = ("byte", "short", "integer", "long", "float", "double", "boolean")


def is_spark_frame(data: object) -> bool:
    """Whether it is of pyspark, which is not imported for that."""
    return type(data).__module__.startswith("pyspark.") and type(data).__name__ == "DataFrame"


def chosen(frame: Any, asked: Asked) -> tuple[Selection, tuple[str, ...], Form]:
    """The columns that are asked for, the names of all these, and the form of rows.

    Raises
    ------
    TypeError
        For DataFrames of Spark Connect, of pandas on Spark, and of streams.
    ValueError
        For columns that do not exist or hold no numbers, and where Spark is to encrypt what it keeps on disks.
    """
    _require_batch(frame)
    fields = frame.schema.fields
    names = tuple(field.name for field in fields)
    selection = asked.among(_NAME, names, len(names))
    for position in selection.positions:
        _require_number(fields[position].name, fields[position].dataType)
    is_single = all(fields[position].dataType.typeName() == "float" for position in selection.features)
    form = selection.form(_NAME, np.dtype(np.float32 if is_single else np.float64))
    return selection, tuple(names[position] for position in selection.positions), form


def _require_batch(frame: Any) -> None:
    module = type(frame).__module__
    if module.startswith("pyspark.sql.connect"):
        raise TypeError(
            "a DataFrame of Spark Connect has no partitions that a client can send work to: run this where the driver "
            "is, or write it to Parquet files and pass their path"
        )
    if module.startswith("pyspark.pandas"):
        raise TypeError("a DataFrame of pandas on Spark has an index: pass frame.to_spark()")
    if frame.isStreaming:
        raise TypeError("a DataFrame that streams has no end, and EM reads all rows in every iteration")
    if frame.sparkSession.sparkContext.getConf().get("spark.io.encryption.enabled", "false") == "true":
        raise ValueError(
            "spark.io.encryption.enabled is set, and rows would lie on disks of executors as they are: fit without it"
        )


def _require_number(name: str, kind: Any) -> None:
    type_name, values = kind.typeName(), f"frame[{name!r}]"
    if type_name in _NUMBERS:
        return
    if type_name in ("vectorudt", "array"):
        values = f"vector_to_array({values})" if type_name == "vectorudt" else values
        way_out = f"take it apart: frame.select(*[{values}[i].alias(f'x{{i}}') for i in range(n_features)])"
    elif type_name == "decimal":
        way_out = f"make floats of it: frame.withColumn({name!r}, {values}.cast('double'))"
    else:
        way_out = "choose others by blocks_of(..., columns=...)"
    raise ValueError(f"{_NAME}, column {name!r}: holds {kind.simpleString()}, not numbers; {way_out}")


def selected(frame: Any, selection: Selection) -> Any:
    """The columns of a selection. Names of columns may be the same, or have dots, so they are chosen by position."""
    numbered = frame.toDF(*(f"c{position}" for position in range(len(frame.columns))))
    return numbered.select(*(f"c{position}" for position in selection.positions))
