"""Data sets in the IDX format, in which MNIST and its kin are published; gzipped or not."""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from karikomi.data.arrays import read
from karikomi.data.dataset import Dataset
from karikomi.data.labelled import labelled
from karikomi.errors import InputError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The third byte of a file: the type of its numbers."""


def idx(source: str) -> Dataset:
    """The data set in four IDX files, by the path of the training images; the other three lie beside it.

    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with ``t10k`` (or ``test``) for ``train``, all
    of them with ``.gz`` or none. More may stand before ``train``: ``emnist-letters-train-images-idx3-ubyte.gz``.

    Raises:
        InputError: if a file is missing, damaged or something else.

    References:
        LeCun et al. 1998 (the format: http://yann.lecun.com/exdb/mnist).
    """
    x, y, x_test, y_test = (array(read(path), str(path)) for path in beside(source))
    return labelled((x, y), (x_test, y_test), source=source, name=Path(source).absolute().parent.name)


def beside(source: str) -> list[Path]:
    """The four files: training images and labels, test images and labels."""
    images = Path(source)
    kin = [images, images.with_name(re.sub("images-idx[0-9]", "labels-idx1", images.name))]
    test = next((name for name in ("t10k", "test") if _of(name, images).exists()), "t10k")
    return [*kin, *(_of(test, path) for path in kin)]


def _of(part: str, path: Path) -> Path:
    return path.with_name(part.join(path.name.rsplit("train", 1)))


def array(content: bytes, source: str) -> np.ndarray:
    """The array in an IDX file, gzipped or not.

    The format: two bytes 0, the type, the number of axes, the length of each (4 bytes, big-endian), the numbers.

    >>> array(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 255]), "three numbers")
    array([  7,   0, 255], dtype=uint8)

    Raises:
        InputError: if it is no such file, cut off, or too long.
    """
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as problem:
            raise InputError(f"{source} is damaged, or no gzip file ({problem})") from problem
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise InputError(f"{source} is no IDX file: it begins with {content[:4].hex() or 'nothing'}, not with 00000803")
    begin = 4 + 4 * content[3]
    dtype, shape = np.dtype(TYPES[content[2]]), struct.unpack_from(f">{content[3]}I", content.ljust(begin, b"\0"), 4)
    if len(content) - begin != math.prod(shape) * dtype.itemsize:
        raise InputError(f"{source} is cut off or too long: {' × '.join(map(str, shape))} numbers do not fit it")
    return np.frombuffer(content, dtype, offset=begin).reshape(shape).astype(dtype.newbyteorder("="))
