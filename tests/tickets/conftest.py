"""A small lottery whose tickets go out and come in."""

from unittest import mock

import numpy as np
import pytest

import karikomi
from karikomi import data
from karikomi.studies.result import Result

SMALL = {"network": "mlp-12-8", "iterations": 30, "batch": 20, "rounds": 2, "rate": 0.5, "validation": 200}
SMALL |= {"validate_every": 10, "replicates": 3, "quiet": True}


@pytest.fixture(scope="package")
def tiny(tmp_path_factory):
    """Path of 1,200 training and 300 test digits of MNIST, 14 × 14."""
    mnist, path = data.load("mnist"), tmp_path_factory.mktemp("data") / "tiny.npz"
    x, x_test = mnist.train.x[:1200, ::2, ::2], mnist.test.x[:300, ::2, ::2]
    np.savez(path, x_train=x, y_train=mnist.train.y[:1200], x_test=x_test, y_test=mnist.test.y[:300])
    return str(path)


@pytest.fixture(scope="package")
def lottery(tiny, tmp_path_factory):
    """Runs a small lottery."""

    def make(name: str = "run", **changes) -> Result:
        with mock.patch.object(Result, "draw"):
            return karikomi.lottery(**{**SMALL, "data": tiny, "out": tmp_path_factory.mktemp("runs") / name, **changes})

    return make


@pytest.fixture(scope="package")
def run(lottery) -> Result:
    return lottery()
