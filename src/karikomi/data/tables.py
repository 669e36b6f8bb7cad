"""Data sets in tables: a column of labels, the others numbers."""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from karikomi.data.arrays import one_line, read
from karikomi.data.dataset import Dataset
from karikomi.data.labelled import labelled
from karikomi.errors import InputError


def csv(source: str, label_column: str = "label") -> Dataset:
    """The data set in a CSV file with a header: a column of labels, numbers, and perhaps ``test`` (0 or 1).

    Classes are the labels in sorted order; without a column ``test`` a fifth of the rows is the test set.

    Raises:
        InputError: if the file cannot be read, has no such column or no rows, or a column that is not numbers.
    """
    return _dataset(source, "CSV", pd.read_csv, label_column)


def parquet(source: str, label_column: str = "label") -> Dataset:
    """The data set in a Parquet file, like :func:`csv`."""
    return _dataset(source, "Parquet", pd.read_parquet, label_column)


def _dataset(source: str, kind: str, read_table: Callable[..., pd.DataFrame], label_column: str) -> Dataset:
    content = read(source)
    try:
        table = read_table(io.BytesIO(content))
    except (ValueError, OSError) as problem:
        raise InputError(f"{source} is no readable {kind} file ({one_line(problem)})") from problem
    if label_column not in table:
        columns = ", ".join(map(str, table.columns[:10])) + (", …" if len(table.columns) > 10 else "")
        raise InputError(f"{source} has no column {label_column!r}; choose label_column among {columns}")
    if table.empty:
        raise InputError(f"{source} has no rows")
    labels = table.pop(label_column)
    test = table.pop("test") if "test" in table else None
    _check(table, labels, test, source)
    x, y = table.to_numpy("float32"), (labels if is_numeric_dtype(labels) else labels.astype(str)).to_numpy()
    name = Path(source).stem
    if test is None:
        return labelled((x, y), None, source=source, name=name)
    is_test = test.to_numpy(bool)
    return labelled((x[~is_test], y[~is_test]), (x[is_test], y[is_test]), source=source, name=name)


def _check(table: pd.DataFrame, labels: pd.Series, test: pd.Series | None, source: str) -> None:
    if labels.isna().any():
        raise InputError(f"{source} has rows without a label")
    if test is not None and not ((is_bool_dtype(test) or is_numeric_dtype(test)) and set(test) == {0, 1}):
        raise InputError(f"the column test of {source} must say 0 of training rows and 1 of test rows")
    if table.columns.empty:
        raise InputError(f"{source} has no column beside the labels")
    for column in table:
        if str(column).startswith("Unnamed: "):
            raise InputError(f"{source} has a column without a name; an index would tell the labels: leave it out")
        if not is_numeric_dtype(table[column]):
            raise InputError(f"the column {column} of {source} is not numbers; encode it, or leave it out")
        if table[column].isna().any():
            raise InputError(f"the column {column} of {source} has missing values; fill them in, or leave out the rows")
