"""Smaller models that give what the lesioned ones give."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu
from torch.nn.utils import prune

import karikomi
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.mlp import mlp
from karikomi.removal.shrink import shrink


class Written(nn.Module):
    """A model as people write it, its parts in another order than the signal's."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 3)
        self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 5, 2, bias=False)
        self.norm = nn.BatchNorm2d(5)
        self.hidden = nn.Linear(5 * 4, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.second(relu(self.first(x))))
        x = max_pool2d(x, 2).relu()
        return self.out(torch.tanh(self.hidden(x.view(x.size(0), -1))))


def sequential() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 5, 3, stride=2),
        nn.PReLU(5),
        nn.Flatten(),
        nn.BatchNorm1d(5 * 9),
        nn.Dropout(),
        nn.Linear(5 * 9, 6),
        nn.BatchNorm1d(6, affine=False),
        nn.Sigmoid(),
        nn.Linear(6, 3),
        nn.LogSoftmax(1),
    )


def with_history(model: nn.Module) -> nn.Module:
    """Running statistics and scales like those of a trained model."""
    model(torch.randn(64, 1, 8, 8))
    for part in model.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) and part.affine:
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return model.eval()


def lesioned(model: nn.Module, removed: Mapping[str, list[int]], following: Mapping[str, str]) -> nn.Module:
    """The oracle: a copy with rows, biases and columns at 0."""
    model = copy.deepcopy(model)
    parameters = dict(model.named_parameters())
    for name, units in removed.items():
        rows, columns = parameters[f"{name}.weight"], parameters[f"{following[name]}.weight"]
        places = columns.shape[1] // len(rows)
        with torch.no_grad():
            for unit in units:
                rows[unit] = 0
                if f"{name}.bias" in parameters:
                    parameters[f"{name}.bias"][unit] = 0
                columns[:, unit * places : (unit + 1) * places] = 0
    return model


NEXT = {"0": "3", "3": "8", "8": "11", "first": "second", "second": "hidden", "hidden": "out"}


@pytest.mark.parametrize("build", [sequential, Written])
@settings(max_examples=25)
@given(data=st.data())
def test_the_outputs_are_those_of_the_lesioned_model(build, data: st.DataObject) -> None:
    torch.manual_seed(0)
    model = with_history(build())
    removed = {
        name: data.draw(st.lists(st.integers(0, units - 1), unique=True), label=name)
        for name, units in Architecture(model).hidden_units.items()
    }
    x = torch.randn(7, 1, 8, 8)
    smaller = shrink(model, removed)
    torch.testing.assert_close(smaller(x), lesioned(model, removed, NEXT)(x), rtol=1e-5, atol=1e-5)
    for name, units in Architecture(model).hidden_units.items():
        assert Architecture(smaller).hidden_units[name] == max(1, units - len(removed[name]))
        weight = smaller.get_parameter(f"{name}.weight")
        assert weight.is_contiguous()


def test_unit_numbers_run_through_the_layers() -> None:
    model = mlp((4,), (5, 3), 2)
    by_number, by_layer = shrink(model, np.array([1, 6])), shrink(model, {"fc1": [1], "fc2": [1]})
    assert by_number.get_parameter("fc2.weight").shape == (2, 4)
    for a, b in zip(by_number.parameters(), by_layer.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_layer_without_units_leaves_constant_outputs() -> None:
    model = with_history(sequential())
    smaller = shrink(model, {"3": range(5)})
    outputs = smaller(torch.randn(9, 1, 8, 8))
    assert Architecture(smaller).hidden_units == {"0": 4, "3": 1, "8": 6}
    torch.testing.assert_close(outputs, outputs[:1].expand(9, -1), rtol=0, atol=0)


def test_class_mode_frozen_parameters_and_training_go_on() -> None:
    model = Written().train()
    model.first.weight.requires_grad_(False)
    random = torch.get_rng_state()
    smaller = shrink(model, {"first": [0], "hidden": [1, 2]})
    assert torch.equal(torch.get_rng_state(), random)
    assert isinstance(smaller, Written)
    assert smaller.training
    assert [parameter.requires_grad for parameter in smaller.parameters()] == [
        parameter.requires_grad for parameter in model.parameters()
    ]
    smaller(torch.randn(4, 1, 8, 8)).sum().backward()
    weight = smaller.hidden.weight
    assert weight.shape == (4, 20)
    assert weight.grad is not None
    assert repr(smaller.hidden) == "Linear(in_features=20, out_features=4, bias=True)"
    assert smaller.state_dict().keys() == model.state_dict().keys()


def test_the_given_model_stays_as_it_was_and_shares_nothing() -> None:
    model = with_history(sequential())
    before = copy.deepcopy(model.state_dict())
    smaller = shrink(model, [0, 1, 5])
    with torch.no_grad():
        for value in smaller.state_dict().values():
            value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class WritesItOut(Written):
    def forward(self, x: Tensor) -> Tensor:
        x = max_pool2d(self.norm(self.second(self.first(x))), 2)
        return self.out(self.hidden(x.view(-1, 20)))


def grouped() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=2), nn.Flatten(), nn.Linear(4 * 16, 2))


def pruned() -> nn.Module:
    model = mlp((4,), (5, 3), 2)
    prune.random_unstructured(model.fc1, "weight", amount=3)
    return model


@pytest.mark.parametrize(
    ("model", "removed", "message"),
    [
        (mlp((4,), (5, 3), 2), [8], "no hidden unit 8 in the network, which has 8"),
        (mlp((4,), (5, 3), 2), {"fc2": [1, 1]}, "hidden unit 1 of fc2 is named twice"),
        (mlp((4,), (5, 3), 2), {"output": [1]}, "unknown hidden layer 'output'"),
        (nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2)), [0], "which inputs the model takes is not known"),
    ],
)
def test_what_cannot_shrink_is_refused_in_one_line(model: nn.Module, removed, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        shrink(model, removed)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("model", "removed", "x"),
    [
        (pruned(), [0], torch.randn(5, 4)),
        (grouped(), {"0": [1]}, torch.randn(5, 1, 8, 8)),
        (grouped(), {"1": [1, 2]}, torch.randn(5, 1, 8, 8)),
        (WritesItOut().eval(), {"second": [1]}, torch.randn(5, 1, 8, 8)),
    ],
)
@torch.no_grad()
def test_what_cannot_be_cut_out_is_zeroed(model: nn.Module, removed, x: Tensor) -> None:
    smaller: Any = shrink(model, removed)
    numbers = Architecture(model, (x,)).unit_numbers(removed)
    y = torch.zeros(len(x), dtype=torch.long)
    curve = karikomi.lesion_curve(model, x, y, order=numbers)
    assert curve["loss"].iloc[-1] == pytest.approx(float(nn.functional.cross_entropy(smaller(x), y)), abs=1e-5)
    shrunk = smaller.shrunk
    assert sorted([*shrunk.cut, *shrunk.zeroed]) == numbers.tolist()
    assert shrunk.parameters[1] <= shrunk.parameters[0] == sum(p.numel() for p in model.parameters())


def test_what_is_written_out_elsewhere_does_no_harm() -> None:
    model = WritesItOut().eval()
    x = torch.randn(3, 1, 8, 8)
    smaller = shrink(model, {"first": [2], "hidden": [0]})
    expected = lesioned(model, {"first": [2], "hidden": [0]}, NEXT)(x)
    torch.testing.assert_close(smaller(x), expected, rtol=1e-5, atol=1e-5)
