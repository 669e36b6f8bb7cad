"""Lesions of models of many kinds, against what their authors say of where units act."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.zoo import ORACLES, MobileNet, Oracle, ResNet, trained
from torch import Tensor, nn

import karikomi
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.parts import Part

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


NO_WEIGHT = {("SqueezeExcite", "excite"), ("Gated", "gate"), ("SeparateProjections", "emb")}
NO_WEIGHT |= {("SetTransformer", "induce.o"), ("SetTransformer", "pool.o")}
"""Units that no weights of 0 can silence: gates, and what a position, or another constant, is added to."""


@torch.no_grad()
def test_a_shrunken_model_gives_what_the_lesioned_one_gives(model: Oracle) -> None:
    inputs = model.given(MANY)
    for part in Architecture(model, inputs).anatomy.parts:
        removed = [0] if part.units < 3 else [0, 2]

        def change(
            name: str, signal: Tensor, axis: int = -1, part: Part = part, removed: list[int] = removed
        ) -> Tensor:
            if name != part.name:
                return signal
            each = signal.shape[axis] // part.units
            return signal.index_fill(axis, torch.tensor([u * each + k for u in removed for k in range(each)]), 0)

        if (type(model).__name__, part.name) in NO_WEIGHT:
            with pytest.raises(InputError, match=f"units of {part.name} cannot be taken out of the model"):
                karikomi.shrink(model, {part.name: removed}, inputs)
            continue
        smaller: Any = karikomi.shrink(model, {part.name: removed}, inputs)
        expected = model(*inputs, change=change)
        torch.testing.assert_close(smaller(*inputs), expected, rtol=1e-4, atol=1e-5)
        assert smaller.training == model.training
        assert len(smaller.shrunk.cut) + len(smaller.shrunk.zeroed) == len(removed)


@torch.no_grad()
def test_views_of_signals_are_kept_in_line() -> None:
    """Where a forward takes views, convolutions must not lay their results out in another way."""

    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.norm = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 5, 2), nn.BatchNorm2d(5)
            self.out = nn.Linear(5 * 25, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.norm(self.second(F.relu(self.first(x))))
            return self.out(x.view(x.size(0), -1))

    torch.manual_seed(0)
    model: Any = Viewing().eval()
    x = torch.randn(9, 1, 8, 8)
    removed = [0, 1, 2, 3]
    curve = karikomi.lesion_curve(model, x, torch.zeros(9, dtype=torch.long), order=removed)
    model.second.weight.zero_()
    assert curve["loss"].iloc[-1] == pytest.approx(float(F.cross_entropy(model(x), torch.zeros(9).long())), abs=1e-5)


@torch.no_grad()
def test_channels_that_are_added_go_together() -> None:
    model: Any = trained(ResNet)
    inputs = model.given(MANY)
    stream = ["conv", "stages.0.conv2", "stages.1.conv2"]
    alone: Any = karikomi.shrink(model, {"stages.0.conv2": [1]}, inputs)
    assert len(alone.shrunk.zeroed) == 1
    together: Any = karikomi.shrink(model, {name: [1] for name in stream}, inputs)
    assert len(together.shrunk.cut) == 3
    assert together.conv.weight.shape[0] == together.bn.weight.shape[0] == 3
    assert together.stages[2].conv1.weight.shape[1] == together.stages[2].shortcut.weight.shape[1] == 3
    assert together.shrunk.multiply_adds[1] < together.shrunk.multiply_adds[0]

    def change(name: str, signal: Tensor, axis: int = -1) -> Tensor:
        return signal.index_fill(axis, torch.tensor([1]), 0) if name in stream else signal

    torch.testing.assert_close(together(*inputs), model(*inputs, change=change), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_depthwise_channel_goes_with_its_input() -> None:
    model: Any = trained(MobileNet)
    inputs = model.given(MANY)
    smaller: Any = karikomi.shrink(model, {"expand": [2, 5], "depthwise": [2, 5]}, inputs)
    assert len(smaller.shrunk.cut) == 4
    assert smaller.depthwise.groups == smaller.depthwise.weight.shape[0] == 6
    assert smaller.project.weight.shape[1] == 6
