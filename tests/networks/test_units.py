"""Which units a network has, what they are called by, and where they are in a signal."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from karikomi.errors import InputError
from karikomi.networks.mlp import mlp
from karikomi.networks.units import UnitLayer, check_numbers, hidden_units, unit_layers, unit_numbers


class Written(nn.Module):
    """Layers in another order than the signal's."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.hidden, self.conv = nn.Linear(6, 2), nn.Linear(3 * 4, 6), nn.Conv2d(1, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.hidden(torch.flatten(self.conv(x), 1)).relu())


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.encoder = nn.Linear(3, 8), nn.TransformerEncoderLayer(8, 4, 16, batch_first=True)
        self.out = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.encoder(self.embed(x)).mean(1))


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (mlp((4,), (5, 3), 2), {"fc1": 5, "fc2": 3}),
        (Written(), {"conv": 3, "hidden": 6}),
        (Attending(), {"embed": 8, "encoder.self_attn": 4, "encoder.linear1": 16, "encoder.linear2": 8}),
        (nn.Linear(3, 2), {}),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Conv1d(4, 3, 1), nn.Flatten()), {"0": 4}),
    ],
    ids=["mlp", "written", "attention", "one layer", "convolutions"],
)
def test_hidden_units_are_those_of_all_layers_but_the_last(module: nn.Module, expected: dict[str, int]) -> None:
    assert list(hidden_units(module).items()) == list(expected.items())


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2)), "units of 0, a LSTM, are not known"),
        (nn.Sequential(nn.ConvTranspose2d(3, 4, 2), nn.Flatten()), "units of 0, a ConvTranspose2d, are not known"),
        (nn.Sequential(layer := nn.Linear(3, 3), nn.ReLU(), layer), "2 uses the weights of 0 again"),
    ],
)
def test_units_that_are_not_known_are_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hidden_units(module)


@settings(max_examples=40)
@given(st.data())
def test_numbers_run_through_the_layers(data: st.DataObject) -> None:
    module = mlp((2,), (5, 3, 4), 2)
    everything = [(name, i) for name, units in hidden_units(module).items() for i in range(units)]
    numbers = data.draw(st.lists(st.integers(0, 11), unique=True))
    by_layer: dict[str, list[int]] = {}
    for number in numbers:
        name, index = everything[number]
        by_layer.setdefault(name, []).append(index)
    for given_as in (numbers, np.array(numbers, np.int32), by_layer):
        found = unit_numbers(module, given_as)
        assert found.dtype == np.int64
        assert found.tolist() == sorted(numbers)


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ([8], "no hidden unit 8 in the network, which has 8"),
        ([-1], "no hidden unit -1 in the network"),
        ([2, 5, 2], "hidden unit 2 of the network is named twice"),
        ([True, False], "whole numbers from 0; these are bool"),
        ([1.0], "whole numbers from 0; these are float64"),
        ({"fc2": [3]}, "no hidden unit 3 in fc2, which has 3"),
        ({"fc3": [0]}, "unknown hidden layer 'fc3'; did you mean"),
        ({"output": [0]}, "unknown hidden layer 'output'"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_in_one_line(removed, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        unit_numbers(mlp((4,), (5, 3), 2), removed)
    assert "\n" not in str(refused.value)


def test_rows_may_share_what_no_row_may_repeat() -> None:
    assert check_numbers([[0, 1], [1, 0]], 2).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(InputError, match="unit 1 of the network is named twice"):
        check_numbers([[0, 1], [1, 1]], 2)


SIGNALS = [
    (UnitLayer("neurons", 3, channels=False), (3,), lambda x, unit: x[:, unit]),
    (UnitLayer("neurons of tokens", 3, channels=False), (4, 3), lambda x, unit: x[:, :, unit]),
    (UnitLayer("heads", 3, channels=False), (4, 6), lambda x, unit: x[:, :, 2 * unit : 2 * unit + 2]),
    (UnitLayer("channels", 3, channels=True), (3, 4, 5), lambda x, unit: x[:, unit]),
    (UnitLayer("flattened", 3, channels=True), (12,), lambda x, unit: x[:, 4 * unit : 4 * unit + 4]),
]


@pytest.mark.parametrize(("layer", "shape", "of_unit"), SIGNALS, ids=[layer.name for layer, *_ in SIGNALS])
def test_units_are_found_in_every_kind_of_signal(layer: UnitLayer, shape: tuple[int, ...], of_unit) -> None:
    signal = torch.rand(2, *shape)
    by_unit = layer.by_unit(signal)
    for unit in range(3):
        expected = of_unit(signal, unit).reshape(2, -1)
        assert torch.equal(by_unit[:, unit].sort().values, expected.sort().values)
    stacked = torch.rand(5, 2, *shape)
    factors = torch.rand(5, 3)
    scaled = (layer.spread(factors, stacked) * layer.split(stacked, 2)).view_as(stacked)
    for network in range(5):
        for unit in range(3):
            expected = of_unit(stacked[network], unit) * factors[network, unit]
            assert torch.equal(of_unit(scaled[network], unit), expected)


def test_the_output_layer_comes_last() -> None:
    assert unit_layers(Written())[-1] == UnitLayer("out", 2, channels=False)
