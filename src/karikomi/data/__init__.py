"""Data sets by name, or by kind of file. To add one: write its loader in a file here, and give it a line below."""

import hashlib
from pathlib import Path

import numpy as np

from karikomi.data.dataset import Dataset
from karikomi.errors import unknown
from karikomi.registry import Entry, Registry, later

DATASETS: Registry[Entry] = Registry(
    "data set",
    {
        "mnist": Entry(
            later("karikomi.data.arrays:mnist"),
            "handwritten digits, 60,000 to train and 10,000 to test, 28 × 28; inside the package, CC BY-SA 3.0",
            paper="LeCun et al. 1998",
        ),
        ".npz": Entry(later("karikomi.data.arrays:npz"), "a file with x_train, y_train, x_test and y_test"),
    },
)
"""By name, or by the end of a file's name; a loader takes the name, or the path."""


def find(source: str) -> Entry:
    """The entry of a data set by name or path.

    Raises:
        InputError: if there is none, offering the nearest.
    """
    suffix = Path(source).suffix.lower()
    if source not in DATASETS and suffix in DATASETS:
        return DATASETS[suffix]
    if source not in DATASETS or source.startswith("."):
        raise unknown("data set", source, [f"a path that ends in {n}" if n[0] == "." else n for n in DATASETS])
    return DATASETS[source]


def load(source: str) -> Dataset:
    """A data set: ``mnist`` (inside the package), or the path of a file, for example an ``.npz`` file.

    >>> load("mnist").sample_shape
    (28, 28)

    Raises:
        InputError: for an unknown name, or a missing, corrupt or ill-formed file.
    """
    return find(source).function(source)


def fingerprint(source: str | Dataset) -> str:
    """The SHA-256 that tells which data these are; empty for a named data set, whose bytes are fixed.

    Raises:
        InputError: if the file cannot be read.
    """
    if isinstance(source, Dataset):
        digest = hashlib.sha256()
        for array in (source.train.x, source.train.y, source.test.x, source.test.y):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
    from karikomi.data.arrays import read

    find(source)
    return "" if source in DATASETS else hashlib.sha256(read(source)).hexdigest()
