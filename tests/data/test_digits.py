"""scikit-learn's digits, where it is installed."""

import sys

import numpy as np
import pytest

from karikomi import data
from karikomi.errors import InputError


def test_digits():
    published = pytest.importorskip("sklearn.datasets").load_digits()
    found = data.load("digits")
    assert (found.train.x.shape, found.test.x.shape, found.classes) == ((1438, 8, 8), (359, 8, 8), 10)
    share = np.bincount(found.test.y) / np.bincount(published.target)
    assert np.abs(share - 0.2).max() < 0.01
    assert data.fingerprint(found) == data.fingerprint(data.load("digits"))
    both = np.concatenate([found.train.x, found.test.x]).reshape(-1, 64) * 16
    assert sorted(map(tuple, both)) == sorted(map(tuple, published.data))


def test_without_scikit_learn_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match="digits is not here; get it with: pip install scikit-learn"):
        data.load("digits")
