"""Gaussian inputs with the labels of a random teacher network."""

import numpy as np

from karikomi import seeds
from karikomi.data.dataset import Dataset
from karikomi.errors import InputError

TRAIN, TEST = 60_000, 10_000
DEFAULT = "teacher-20-50-10"


def teacher(name: str) -> Dataset:
    """The data set of ``teacher-<inputs>-<hidden>-<classes>``; ``teacher`` is ``teacher-20-50-10``.

    x ~ N(0, I), 60,000 to train and 10,000 to test; the label is argmax V (relu(W x) − E relu(W x)), with the teacher's
    weights W and V Gaussian. The expectation, ‖w‖ / √(2π) for a unit with weights w, is subtracted so that classes are
    about as frequent. The same name gives the same data.

    Raises:
        InputError: if the teacher never answers with some class.

    References:
        Gardner & Derrida 1989; Saad & Solla 1995; Goldt et al. 2019 (arXiv 1906.08632).

    >>> data = teacher("teacher-5-8-3")
    >>> data.train.x.shape, data.classes
    ((60000, 5), 3)
    """
    sizes = (DEFAULT if name == "teacher" else name).split("-")[1:]
    inputs, hidden, classes = map(int, sizes)
    rng = seeds.stream(0, "teacher", inputs, hidden, classes)
    w, v = rng.standard_normal((hidden, inputs)), rng.standard_normal((classes, hidden))
    x = rng.standard_normal((TRAIN + TEST, inputs), dtype=np.float32)
    # float64, so that rounding, which differs between machines, decides no label.
    activation = np.maximum(x @ w.T, 0) - np.linalg.norm(w, axis=1) / np.sqrt(2 * np.pi)
    y = np.argmax(activation @ v.T, axis=1)
    if len(np.unique(y[:TRAIN])) < classes:
        raise InputError(f"the teacher of {name} never answers with some of its classes; give it more hidden units")
    return Dataset.from_arrays(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], name=name)
