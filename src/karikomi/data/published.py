"""Data sets that are published on the web: where, with which checksums, and where they lie here."""

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from karikomi.data.arrays import read
from karikomi.data.dataset import Dataset
from karikomi.data.idx import array
from karikomi.data.labelled import labelled
from karikomi.errors import InputError


class Published(NamedTuple):
    """Files by name with their SHA-256, the address of their folder, and Debian's package and folder of them."""

    url: str
    files: Mapping[str, str]
    package: str = ""
    folder: str = ""


def _idx(train_images: str, train_labels: str, test_images: str, test_labels: str) -> dict[str, str]:
    return {
        "train-images-idx3-ubyte.gz": train_images,
        "train-labels-idx1-ubyte.gz": train_labels,
        "t10k-images-idx3-ubyte.gz": test_images,
        "t10k-labels-idx1-ubyte.gz": test_labels,
    }


PUBLISHED = {
    "fashion-mnist": Published(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        _idx(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        "dataset-fashion-mnist",
        "/usr/share/datasets/fashion-mnist",
    ),
    "kmnist": Published(
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        _idx(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
    "cifar-10": Published(
        "https://www.cs.toronto.edu/~kriz/",
        {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ),
}
"""Debian's gzip files are not the published ones, but what is in them is."""


def cache(name: str) -> Path:
    """The folder that a data set is downloaded into."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "karikomi", name)


def place(name: str) -> Path | None:
    """The folder in which all files of a published data set are: Debian's, or the cache; None if they are not here."""
    published = PUBLISHED[name]
    folders = [Path(published.folder)] * bool(published.folder) + [cache(name)]
    return next((folder for folder in folders if all((folder / file).is_file() for file in published.files)), None)


def mnist_like(name: str) -> Dataset:
    """A data set in MNIST's four files, gzipped.

    Raises:
        InputError: if it is not here, or damaged.
    """
    x, y, x_test, y_test = (array(content, file) for file, content in _contents(name).items())
    return labelled((x, y), (x_test, y_test), source=name, name=name)


def cifar(name: str) -> Dataset:
    """CIFAR-10 in its binary version, uint8 ``[n, 3, 32, 32]``; its other versions are pickles.

    A batch is a file of records, each a label and 3 · 32 · 32 bytes.

    Raises:
        InputError: if it is not here, or damaged.

    References:
        Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """
    [content] = _contents(name).values()
    batches = [f"data_batch_{number}" for number in range(1, 6)]
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            *train, test = (
                np.frombuffer(file.read(), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
                for batch in (*batches, "test_batch")
                if (file := archive.extractfile(f"cifar-10-batches-bin/{batch}.bin"))
            )
    except (tarfile.TarError, KeyError, ValueError, OSError, EOFError, zlib.error) as problem:
        raise InputError(f"the file of {name} is damaged ({problem}); remove it and get it again") from problem
    (x, y), (x_test, y_test) = (
        (records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]) for records in (np.concatenate(train), test)
    )
    return Dataset.from_arrays(x, y, x_test, y_test, name=name)


def _contents(name: str) -> dict[str, bytes]:
    """The published files by name; those in the cache have the published checksums (Debian checks its own)."""
    folder, published = place(name) or cache(name), PUBLISHED[name]
    contents = {file: read(folder / file) for file in published.files}
    for file, content in contents.items() if folder == cache(name) else ():
        if hashlib.sha256(content).hexdigest() != published.files[file]:
            raise InputError(f"{folder / file} is damaged (its SHA-256 is wrong); remove it and get it again")
    return contents
