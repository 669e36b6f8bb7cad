"""Data sets by name, or by kind of path. To add one: write its loader in a file here, and give it a line below."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from karikomi.data.dataset import Dataset
from karikomi.errors import InputError, unknown
from karikomi.registry import Entry, Registry, later


@dataclass(frozen=True)
class Family(Entry):
    """A family of data sets: what its names look like, and one of them."""

    pattern: str = ""
    example: str = ""


DATASETS: Registry[Entry] = Registry(
    "data set",
    {
        "mnist": Entry(
            later("karikomi.data.arrays:mnist"),
            "handwritten digits, 28 × 28, 60,000 to train, 10,000 to test; in the package, CC BY-SA 3.0",
            paper="LeCun et al. 1998",
        ),
        "fashion-mnist": Entry(
            later("karikomi.data.published:mnist_like"),
            "clothes, in the form of MNIST; MIT licence, 31 MB",
            paper="Xiao et al. 2017",
        ),
        "kmnist": Entry(
            later("karikomi.data.published:mnist_like"),
            "cursive Japanese characters, in the form of MNIST; CC BY-SA 4.0, 21 MB",
            paper="Clanuwat et al. 2018",
        ),
        "cifar-10": Entry(
            later("karikomi.data.published:cifar"),
            "photographs, 3 × 32 × 32, 50,000 to train, 10,000 to test; the binary version, 170 MB",
            paper="Krizhevsky 2009",
        ),
        "digits": Entry(
            later("karikomi.data.digits:digits"),
            "handwritten digits, 8 × 8, 1,797 in all",
            ("scikit-learn",),
            paper="Alpaydin & Kaynak 1998",
        ),
        "teacher": Entry(later("karikomi.data.teacher:teacher"), "teacher-20-50-10"),
        "teacher-<inputs>-<hidden>-<classes>": Family(
            later("karikomi.data.teacher:teacher"),
            "Gaussian inputs, labels of a random network; 60,000 to train, 10,000 to test",
            paper="Gardner & Derrida 1989",
            pattern="teacher(-[1-9][0-9]{0,3}){3}",
            example="teacher-5-20-3",
        ),
        "*.npz": Entry(later("karikomi.data.arrays:npz"), "a file with x_train, y_train, x_test and y_test"),
        "*.csv": Entry(
            later("karikomi.data.tables:csv"),
            "a table of numbers with a column of labels (label_column), and perhaps a column test (0 or 1)",
        ),
        "*.parquet": Entry(later("karikomi.data.tables:parquet"), "the same in Parquet"),
        "*train-images-idx?-ubyte*": Entry(
            later("karikomi.data.idx:idx"), "IDX, gzipped or not, with the labels and the test set beside it"
        ),
        "*/": Entry(
            later("karikomi.data.images:folder"),
            "a folder of images, train/CLASS/ and test/CLASS/ or CLASS/, or of IDX files",
        ),
    },
)
"""By name, or by what a path looks like (``*``); a loader takes the name, or the path."""

TABLES = ("*.csv", "*.parquet")
"""Kinds whose loaders also take the name of the column of labels."""


def find(source: str) -> Entry:
    """The entry of a data set by name or path.

    Raises:
        InputError: if there is none, offering the nearest.
    """
    return DATASETS[_key(source)]


def _key(source: str) -> str:
    if source in DATASETS and not source.startswith("*"):
        return source
    path = f"{source}/" if Path(source).is_dir() else source
    for name, entry in DATASETS.items():
        if fnmatchcase(path.lower(), name) if name.startswith("*") else _is_of(entry, source):
            return name
    raise unknown("data set", source, [f"a path like {name}" if name.startswith("*") else name for name in DATASETS])


def _is_of(entry: Entry, name: str) -> bool:
    return isinstance(entry, Family) and re.fullmatch(entry.pattern, name) is not None


def is_table(source: str) -> bool:
    """Whether the data are a table, which has a column of labels."""
    return any(fnmatchcase(source.lower(), kind) for kind in TABLES)


def load(source: str, label_column: str | None = None) -> Dataset:
    """A data set: ``mnist`` (inside the package) or another name, or the path of a file or folder.

    Args:
        source: a name or a path; ``karikomi datasets`` lists them.
        label_column: of a table, the column that holds the labels; ``label`` by default.

    >>> load("mnist").sample_shape
    (28, 28)

    Raises:
        InputError: for an unknown name, data that are not here, or a missing, corrupt or ill-formed file.
    """
    if line := missing(source):
        raise InputError(line)
    given = {} if label_column is None else {"label_column": label_column}
    return find(source).function(source, **given)


def missing(name: str) -> str:
    """That a data set by name is not here, and how to get it; empty if it is here."""
    from karikomi.data.published import PUBLISHED, place

    how = "pip install scikit-learn" if name == "digits" and find_spec("sklearn") is None else ""
    if name in PUBLISHED and place(name) is None:
        package = PUBLISHED[name].package
        how = f"karikomi datasets --get {name}" + (f", or apt install {package}" if package else "")
    return f"{name} is not here; get it with: {how}" if how else ""


def fingerprint(source: str | Dataset) -> str:
    """The SHA-256 that tells which data these are; empty for a named data set, whose bytes are fixed.

    Raises:
        InputError: if a file cannot be read.
    """
    digest = hashlib.sha256()
    if isinstance(source, Dataset):
        for array in (source.train.x, source.train.y, source.test.x, source.test.y):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
    from karikomi.data.arrays import read

    found, top = files(source), Path(source)
    if len(found) < 2:
        return hashlib.sha256(read(found[0])).hexdigest() if found else ""
    for file in found:
        name = file.relative_to(top if top.is_dir() else top.parent).as_posix()
        digest.update(f"{hashlib.sha256(read(file)).hexdigest()}  {name}\n".encode())
    return digest.hexdigest()


def files(source: str) -> Sequence[Path]:
    """The files that a data set is read from, by its path; none for a data set by name.

    Raises:
        InputError: if there is no such data set, or a folder cannot be read.
    """
    from karikomi.data.idx import beside
    from karikomi.data.images import visible_files

    key = _key(source)
    if key == "*/":
        return visible_files(Path(source))
    return beside(source) if "idx" in key else [Path(source)] if key.startswith("*") else []
