"""Data sets from NumPy's archives: MNIST inside the package, and files of one's own."""

import hashlib
import io
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np

from karikomi.data.dataset import Dataset
from karikomi.errors import InputError

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"


def mnist(source: str) -> Dataset:
    """MNIST, from the file inside the package.

    Raises:
        InputError: if that file is damaged.
    """
    content = resources.files("karikomi.data").joinpath(f"{source}.npz").read_bytes()
    if hashlib.sha256(content).hexdigest() != _MNIST_SHA256:
        raise InputError("the MNIST file inside the package is damaged (its SHA-256 is wrong); install karikomi again")
    return _dataset(content, source)


def npz(source: str) -> Dataset:
    """The data set in an ``.npz`` file with x_train, y_train, x_test and y_test.

    Raises:
        InputError: if the file is missing, corrupt or ill-formed.
    """
    return _dataset(read(source), source)


def read(source: str | Path) -> bytes:
    """The content of a file of data; an InputError if it cannot be read."""
    try:
        return Path(source).read_bytes()
    except OSError as problem:
        raise InputError(f"cannot read {source}: {problem.strerror}") from problem


def _dataset(content: bytes, source: str) -> Dataset:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            missing = [name for name in _ARRAYS if name not in file]
            if missing:
                raise InputError(f"{source} lacks {', '.join(missing)}; it must hold {', '.join(_ARRAYS)}")
            arrays = [file[name] for name in _ARRAYS]
    except InputError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as problem:
        raise InputError(f"{source} is no readable .npz file ({one_line(problem)})") from problem
    return Dataset.from_arrays(*arrays, name=Path(source).stem)


def one_line(problem: Exception) -> str:
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__
