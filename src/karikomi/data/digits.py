"""The digits of scikit-learn."""

import numpy as np

from karikomi.data.dataset import Dataset
from karikomi.data.labelled import labelled


def digits(name: str) -> Dataset:
    """1,797 handwritten digits ``[8, 8]``, 0 … 1 in steps of 1/16; a fifth of them is the test set.

    References:
        Alpaydin & Kaynak 1998, Optical recognition of handwritten digits (UCI).
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    return labelled(((found.images / 16).astype(np.float32), found.target), None, source=name, name=name)
