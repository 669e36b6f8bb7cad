"""Which units a network has, what they are called by, and where they are in a signal."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.layers import check_numbers
from karikomi.networks.mlp import mlp
from karikomi.networks.tape import Tape, record


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
        (
            Attending(),
            {
                "embed": 8,
                "encoder.self_attn": 4,
                "encoder.self_attn.out_proj": 8,
                "encoder.linear1": 16,
                "encoder.linear2": 8,
            },
        ),
        (nn.Linear(3, 2), {}),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Conv1d(4, 3, 1), nn.Flatten()), {"0": 4}),
    ],
    ids=["mlp", "written", "attention", "one layer", "convolutions"],
)
def test_hidden_units_are_those_of_all_layers_but_the_last(module: nn.Module, expected: dict[str, int]) -> None:
    assert list(Architecture(module).hidden_units.items()) == list(expected.items())


def test_a_model_whose_inputs_are_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="which inputs the model takes is not known"):
        _ = Architecture(nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2))).hidden_units


@settings(max_examples=40)
@given(st.data())
def test_numbers_run_through_the_layers(data: st.DataObject) -> None:
    module = mlp((2,), (5, 3, 4), 2)
    everything = [(name, i) for name, units in Architecture(module).hidden_units.items() for i in range(units)]
    numbers = data.draw(st.lists(st.integers(0, 11), unique=True))
    by_layer: dict[str, list[int]] = {}
    for number in numbers:
        name, index = everything[number]
        by_layer.setdefault(name, []).append(index)
    for given_as in (numbers, np.array(numbers, np.int32), by_layer):
        found = Architecture(module).unit_numbers(given_as)
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
        Architecture(mlp((4,), (5, 3), 2)).unit_numbers(removed)
    assert "\n" not in str(refused.value)


def test_rows_may_share_what_no_row_may_repeat() -> None:
    assert check_numbers([[0, 1], [1, 0]], 2).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(InputError, match="unit 1 of the network is named twice"):
        check_numbers([[0, 1], [1, 1]], 2)


def test_the_output_layer_comes_last() -> None:
    architecture = Architecture(Written())
    [output] = architecture.outputs
    assert (output.name, output.units, output.channels) == ("out", 2, False)
    assert [layer.name for layer in architecture.layers] == ["conv", "hidden", "out"]
    assert architecture.layers[-1] is output


def test_links_are_the_weights_of_linear_convolutional_and_attention_layers() -> None:
    found = Architecture(Attending()).link_weights
    assert found[:3] == ("embed.weight", "encoder.self_attn.in_proj_weight", "encoder.self_attn.out_proj.weight")
    apart = Architecture(nn.MultiheadAttention(8, 2, kdim=3, vdim=5)).link_weights
    assert apart == ("q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight")


def test_a_unit_owns_its_bias_and_its_normalization() -> None:
    module = nn.Sequential(
        nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.BatchNorm1d(4, affine=False), nn.Flatten(), nn.Linear(8, 3)
    )
    architecture = Architecture(module)
    conv, _ = architecture.layers
    assert (conv.weight, conv.owned) == ("0.weight", ("0.bias", "1.weight", "1.bias"))
    of_conv = architecture.belongings["0"]
    assert [(one.name, one.own) for one in of_conv] == [
        *((name, True) for name in ("0.bias", "1.weight", "1.bias", "0.weight")),
        ("5.weight", False),
    ]
    assert np.broadcast_to(of_conv[-1].units, (3, 8))[2].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_module_is_traced_once_wherever_its_architecture_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = []

    def counted(module: nn.Module, *given: Any) -> Tape:
        recorded.append(module)
        return record(module, *given)

    monkeypatch.setattr("karikomi.networks.architecture.record", counted)
    architecture = Architecture(Written())
    for one in (architecture, *(pickle.loads(pickle.dumps(architecture)) for _ in range(3))):
        assert (one.in_a_row, one.units, one.perceptron) == (True, 9, None)
    assert len(recorded) == 4, "on three and on two examples, here once, and once where it was sent to"
