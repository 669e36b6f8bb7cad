"""Where networks are computed; what a GPU would do is not tested where there is none."""

import pytest
import torch

from karikomi.engines import population, sparse
from karikomi.engines.choice import choose
from karikomi.engines.population.source import computing_on, find_device
from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.studies.lottery.settings import LotterySettings


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_auto_is_a_gpu_where_there_is_one_unless_told_otherwise(gpu):
    assert find_device().type == "cuda"
    with computing_on("cpu"):
        assert find_device().type == "cpu"
        with computing_on("cuda"):
            assert find_device().type == "cuda"
    assert find_device().type == "cuda"


def test_perceptrons_are_trained_by_kernels_where_no_gpu_is_computed_on(gpu):
    architecture = Architecture(build("mlp-8", (4,), 2))
    chosen = []
    for device in ("cpu", None):
        with computing_on(device):
            chosen.append(choose("auto", architecture))
    assert chosen == [sparse, population]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_costs_a_line_and_changes_nothing():
    with pytest.raises(InputError, match="no CUDA device here"), computing_on("cuda"):
        pass
    assert find_device().type == "cpu"
    assert LotterySettings.of(device="cuda").device == "cuda"


def test_refuses_a_device_that_is_not_there(make, data, monkeypatch):
    network = make.subnetwork(build("mlp-8", (28, 28), 10))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="CUDA"):
        population.evaluate([network], data.test, device="cuda")
    with pytest.raises(InputError, match="unknown device 'gpu'"):
        population.evaluate([network], data.test, device="gpu")  # pyright: ignore
