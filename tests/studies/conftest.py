"""A small piece of MNIST, and small runs on it."""

import numpy as np
import pytest

from karikomi import data
from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.lottery.settings import LotterySettings


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Path of an .npz file with 1,200 training and 300 test digits of MNIST, 14 × 14."""
    mnist = data.load("mnist")
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(
        path,
        x_train=mnist.train.x[:1200, ::2, ::2],
        y_train=mnist.train.y[:1200],
        x_test=mnist.test.x[:300, ::2, ::2],
        y_test=mnist.test.y[:300],
    )
    return str(path)


@pytest.fixture(scope="session")
def small(tiny):
    """Settings of a lottery that takes about a second."""

    def make(**changes):
        given = {
            "data": tiny,
            "network": "mlp-24-12",
            "iterations": 60,
            "batch": 20,
            "rounds": 3,
            "rate": 0.4,
            "validation": 200,
            "validate_every": 20,
            "replicates": 2,
            "engine": "population",
        }
        return LotterySettings.of(**{**given, **changes})

    return make


@pytest.fixture(scope="session")
def ageing(tiny):
    """Settings of an ageing run that takes about a second."""

    def make(**changes):
        given = {"data": tiny, "network": "mlp-10-8", "replicates": 2, "iterations": 40, "batch": 20}
        given |= {"validation": 200, "validate_every": 20, "learning_rate": 0.01, "scoring": 150, "engine": "sparse"}
        given |= {"deaths": 2, "cycles": 3, "retraining": 10}
        return AgeingSettings.of(**{**given, **changes})

    return make
