"""Studies of a network that a function in a file builds: one with branches, on images without channels."""

from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from karikomi.errors import InputError
from karikomi.studies import find_study
from karikomi.studies.healthy.networks import load_healthy
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.stage import Task

CODE = """
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.enter, self.bn1 = nn.Conv2d(1, 4, 3, 2), nn.BatchNorm2d(4)
        self.inner, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.out = nn.Linear(4, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.enter(x)))
        return self.out(F.relu(x + self.bn2(self.inner(x))).mean((2, 3)))


def build(shape, classes):
    assert shape == (14, 14)
    return Residual(classes)
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "mine.py"
    path.write_text(CODE)
    return f"{path}:build"


@pytest.fixture(scope="module")
def given(tiny, network):
    base = {"data": tiny, "network": network, "replicates": 2, "iterations": 30, "batch": 20, "validation": 200}
    return {**base, "validate_every": 10, "learning_rate": 0.01, "scoring": 150}


def finished(name, base, folder, **more):
    study = find_study(name)
    with mock.patch.object(Result, "draw"):
        return run(study, study.settings.of(**base, **more), out=folder, quiet=True)


def test_every_unit_alone(given, tmp_path):
    more = {"criteria": ("taylor", "activation-mean", "knock-out"), "given": (), "shapley": 2, "pairs": 3}
    result = finished("importance", given, tmp_path, **more)
    setup = result.study.prepare(result.settings)
    assert setup.data.sample_shape == (1, 14, 14)
    module: Any = result.network(1).module().eval()
    x, y = torch.from_numpy(setup.data.test.x).float() * setup.data.test.scale, torch.from_numpy(setup.data.test.y)
    table = result.table.query("replicate == 1").set_index(["layer", "index"])["loss_rise"]
    with torch.no_grad():
        whole = F.cross_entropy(module(x), y)
        for unit in range(4):
            entered = F.relu(module.bn1(module.enter(x)))
            added = module.bn2(module.inner(entered)).index_fill(1, torch.tensor([unit]), 0)
            without = F.cross_entropy(module.out(F.relu(entered + added).mean((2, 3))), y)
            assert table["inner", unit] == pytest.approx(float(without - whole), abs=1e-5)


def test_removed_one_after_the_other(given, tmp_path):
    result = finished("lesion", given, tmp_path, criteria=("taylor",), orders=2)
    curves = result.tables["curves"]
    assert curves["parameters_left"].isna().all()
    assert curves.groupby(["replicate", "criterion", "direction", "control"]).size().eq(9).all()
    setup = result.study.prepare(result.settings)
    healthy = load_healthy(setup, result.folder, Task(0))
    [everything] = setup.engine.evaluate([healthy], setup.data.test)
    whole = curves.query("replicate == 0 and step == 0")["loss"]
    np.testing.assert_allclose(whole, everything.loss, rtol=1e-4)


def test_a_changed_file_is_another_run(given, tmp_path):
    lesion = find_study("lesion").settings
    first = lesion.of(**given).fingerprinted(None, ())
    other = tmp_path / "mine.py"
    other.write_text(CODE + "\n# changed\n")
    second = lesion.of(**{**given, "network": f"{other}:build"}).fingerprinted(None, ())
    assert first.code_sha256 != second.code_sha256 != ""


def test_adaptive_orders_need_layers_that_follow_one_another(given, tmp_path):
    with pytest.raises(InputError, match="branches or joins"):
        finished("lesion", given, tmp_path, criteria=("taylor",), timing=("adaptive",))
