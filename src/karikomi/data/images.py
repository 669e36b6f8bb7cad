"""Folders of images by class."""

from pathlib import Path

import numpy as np

from karikomi.data.dataset import Dataset
from karikomi.data.idx import idx
from karikomi.data.labelled import labelled
from karikomi.errors import InputError

MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB"}
"""Pillow's modes of images, and which they are read in: grey (L) or colour (RGB)."""


def folder(source: str) -> Dataset:
    """The data set in a folder: ``train/CLASS/*`` and ``test/CLASS/*``, or ``CLASS/*`` with a fifth as the test set.

    Classes are numbered in the order of their names. Their files are images that Pillow reads, all of one shape: grey
    ``[h, w]`` or colour ``[3, h, w]``, uint8. Hidden files do not count. Or a folder of IDX files (:func:`idx`).

    Raises:
        InputError: if something in it is no image or of another shape, a class is empty, or only the test set has it.
    """
    top = Path(source)
    if files := sorted(top.glob("*train-images-idx?-ubyte*")):
        if len(files) > 1:
            raise InputError(f"{top} has training images in several IDX files; name one of them, such as {files[0]}")
        return idx(str(files[0]))
    parts = [(top / part).is_dir() for part in ("train", "test")]
    if any(parts) and not all(parts):
        raise InputError(f"{top} holds train or test; it must hold both, or a folder per class")
    train, test = (_examples(top / "train"), _examples(top / "test")) if all(parts) else (_examples(top), None)
    return labelled(train, test, source=str(top), name=top.absolute().name)


def visible(top: Path) -> list[Path]:
    """What is in a folder, hidden files and folders left out, in the order of names.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return sorted(path for path in top.iterdir() if not path.name.startswith("."))
    except OSError as problem:
        raise InputError(f"cannot read {top}: {problem.strerror}") from problem


def visible_files(top: Path) -> list[Path]:
    """All files in a folder and the folders in it, but for hidden ones."""
    return [file for path in visible(top) for file in (visible_files(path) if path.is_dir() else [path])]


def _examples(top: Path) -> tuple[np.ndarray, np.ndarray]:
    files = {path.name: visible(path) for path in visible(top) if path.is_dir()}
    if not files:
        raise InputError(f"{top} must hold a folder of images for each class; it has no folders")
    for name, of_class in files.items():
        if not of_class:
            raise InputError(f"{top / name} is empty; a class needs images")
    paths = [path for of_class in files.values() for path in of_class]
    first, *_ = images = [_image(path) for path in paths]
    for path, image in zip(paths, images, strict=True):
        if image.shape != first.shape:
            raise InputError(
                f"all images must have one shape: {path} is {_in_words(image)}, {paths[0]} {_in_words(first)}"
            )
    return np.stack(images), np.repeat(list(files), list(map(len, files.values())))


def _image(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode not in MODES:
                raise InputError(f"{path} is an image of mode {image.mode}; save it as grey (L) or RGB, 8 bits")
            pixels = np.asarray(image.convert(MODES[image.mode]))
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
        raise InputError(f"{path} is no image that can be read ({' '.join(str(problem).split())})") from problem
    return pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _in_words(image: np.ndarray) -> str:
    return " × ".join(map(str, image.shape))
