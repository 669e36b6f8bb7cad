"""Examples with labels of any kind as a data set: numbered classes, and a test set where none is given."""

import numpy as np

from karikomi import seeds
from karikomi.data.dataset import Dataset, stratified
from karikomi.errors import InputError

TEST_SHARE = 0.2
"""Share of the examples that become the test set where none is given."""


def labelled(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray] | None, *, source: str, name: str
) -> Dataset:
    """The data set of inputs ``[n, …]`` with labels ``[n]``, whose classes are the labels in sorted order.

    Args:
        train: inputs and labels.
        test: those of the test set. Without, a fifth of the examples is the test set: each class in proportion, the
            same examples whenever the data are loaded.
        source: what error messages call the data.
        name: what tables and pages call them.

    Raises:
        InputError: if a class has no training example.

    >>> x, labels = np.arange(20.0).reshape(10, 2), np.array(["dog", "cat"] * 5)
    >>> data = labelled((x, labels), None, source="pets.csv", name="pets")
    >>> data.test.y, data.classes
    (array([1, 0]), 2)
    """
    x, labels = train
    classes, y = np.unique(labels, return_inverse=True)
    if test is not None:
        x_test, labels_test = test
        strange = np.setdiff1d(labels_test, classes)
        if len(strange):
            raise InputError(f"only the test set of {source} has examples of the class {strange[0]}")
        return Dataset.from_arrays(x, y, x_test, np.searchsorted(classes, labels_test), name=name)
    alone = classes[np.bincount(y) < 2]
    if len(alone):
        raise InputError(f"{source} has a single example of the class {alone[0]}; the test set needs another")
    drawn = stratified(y, round(TEST_SHARE * len(y)), seeds.stream(0, "test"))
    return Dataset.from_arrays(x[~drawn], y[~drawn], x[drawn], y[drawn], name=name)
