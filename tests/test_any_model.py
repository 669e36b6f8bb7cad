"""Lesions of models of many kinds, against what their authors say of where units act."""

import pytest
import torch
import torch.nn.functional as F
from tests.zoo import ORACLES, Oracle, trained
from torch import Tensor

import karikomi

MANY = 24


@pytest.fixture(params=ORACLES)
def model(request: pytest.FixtureRequest) -> Oracle:
    return trained(ORACLES[request.param])


def labels(outputs: Tensor) -> Tensor:
    return torch.arange(len(outputs)) % outputs.shape[1]


def without(model: Oracle, inputs: tuple[Tensor, ...], layer: str, index: int, units: int) -> Tensor:
    """Outputs with a unit's signal set to 0 wherever the model says that it acts."""

    def change(name: str, signal: Tensor, axis: int = -1) -> Tensor:
        if name != layer:
            return signal
        each = signal.shape[axis] // units
        return signal.index_fill(axis, torch.arange(index * each, (index + 1) * each), 0)

    return model(*inputs, change=change)


@torch.no_grad()
def test_every_knock_out_is_the_model_without_the_unit(model: Oracle) -> None:
    inputs = model.given(MANY)
    whole = model(*inputs)
    y = labels(whole)
    named: dict[str, int] = {}

    def note(name: str, signal: Tensor, axis: int = -1) -> Tensor:
        named[name] = signal.shape[axis]
        return signal

    model(*inputs, change=note)
    table = karikomi.knock_out(model, inputs, y)
    units = table.groupby("layer", sort=False).size()
    assert set(units.index) == set(named)
    for row in table.itertuples():
        outputs = without(model, inputs, row.layer, row.index, units[row.layer])
        rise = F.cross_entropy(outputs, y) - F.cross_entropy(whole, y)
        assert row.loss_rise == pytest.approx(float(rise), abs=1e-5)
        right = ((whole.argmax(1) == y).sum() - (outputs.argmax(1) == y).sum()) / MANY
        assert row.accuracy_drop == pytest.approx(float(right), abs=1e-6)
