"""A small piece of MNIST, and small runs on it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from karikomi import data
from karikomi.studies import study_of
from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.comparison import compare
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


@pytest.fixture(scope="session")
def assert_same_run():
    """Says whether two run folders hold the same, to the bit, but for how long it took."""

    def content(folder):
        tables = study_of(folder).tables(folder)
        files = sorted([*folder.pieces.iterdir(), *folder.subnetworks.iterdir()])
        return (
            {name: table.drop(columns="seconds", errors="ignore") for name, table in tables.items()},
            {path.name: path.read_bytes() for path in files},
        )

    def same(a, b):
        (tables, files), (other_tables, other_files) = content(a), content(b)
        assert tables.keys() == other_tables.keys()
        for name in tables:
            pd.testing.assert_frame_equal(tables[name], other_tables[name], check_exact=True)
        assert files == other_files

    return same


@pytest.fixture(scope="session")
def assert_comparable():
    """Says whether two runs can be told apart by every measure that the study compares, here a run from itself."""

    def comparable(result):
        measures = result.study.by_replicate(result.tables)
        assert measures.index.is_unique
        folder = SimpleNamespace(settings={"seed": 1}, path=result.folder.path)
        again: Any = SimpleNamespace(study=result.study, tables=result.tables, folder=folder)
        found = compare(result, again).differences
        assert set(found["measure"]) == set(result.study.compared)
        assert found["replicates"].eq(measures.index.get_level_values("replicate").nunique()).all()
        assert (found["mean"] == 0).all()

    return comparable
