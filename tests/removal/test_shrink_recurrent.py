"""Hidden units of recurrent layers cut out of memory."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import karikomi

X = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


class Reads(nn.Module):
    """A recurrent layer whose outputs, or whose last state, are read."""

    def __init__(self, kind: str, layers: int = 1, both: bool = False, state: bool = False) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(3, 6, num_layers=layers, bidirectional=both, batch_first=True)
        self.state, self.out = state, nn.Linear(12 if both else 6, 2)

    def forward(self, x: Tensor) -> Tensor:
        outputs, state = self.rnn(x)
        if not self.state:
            return self.out(outputs.tanh().mean(1))
        return self.out((state[0] if isinstance(state, tuple) else state)[-1])


def zeroed(model: Reads, removed: dict[str, list[int]]) -> Reads:
    """A copy in which all gates of the units have weights of 0, so that their state stays 0."""
    lesioned = copy.deepcopy(model)
    for name, units in removed.items():
        suffix = name.partition(".")[2] or "l0"
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            values = lesioned.rnn.get_parameter(f"{kind}_{suffix}").data
            values.unflatten(0, (-1, 6))[:, units] = 0
    return lesioned


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("state", [False, True])
@torch.no_grad()
def test_a_unit_takes_the_rows_of_its_gates_with_it(kind: str, state: bool) -> None:
    torch.manual_seed(0)
    model = Reads(kind, state=state)
    smaller: Any = karikomi.shrink(model, {"rnn": [1, 4]}, X)
    torch.testing.assert_close(smaller(X), zeroed(model, {"rnn": [1, 4]})(X), rtol=1e-5, atol=1e-5)
    assert smaller.rnn.hidden_size == smaller.out.in_features == 4
    assert smaller.rnn.weight_hh_l0.shape == (4 * GATES[kind], 4)
    assert smaller.shrunk.cut.tolist() == [1, 4]
    costs = [5 * GATES[kind] * hidden * (3 + hidden) + 2 * hidden for hidden in (6, 4)]  # 5 steps, 2 outputs
    assert smaller.shrunk.multiply_adds == tuple(costs)


@pytest.mark.parametrize(
    ("layers", "both", "removed", "left"),
    [
        (2, False, {"rnn.l0": [1, 2], "rnn.l1": [0, 5]}, 4),
        (1, True, {"rnn.l0": [1], "rnn.l0_reverse": [3, 4]}, 5),
        (2, False, {"rnn.l1": [1]}, 6),
    ],
)
@torch.no_grad()
def test_layers_and_directions_keep_one_width(layers: int, both: bool, removed: Any, left: int) -> None:
    """As many units go as each of them loses; weights of the others are 0."""
    torch.manual_seed(0)
    model = Reads("GRU", layers, both)
    smaller: Any = karikomi.shrink(model, removed, X)
    torch.testing.assert_close(smaller(X), zeroed(model, removed)(X), rtol=1e-5, atol=1e-5)
    assert smaller.rnn.hidden_size == left
    assert len(smaller.shrunk.cut) == (6 - left) * layers * (2 if both else 1)
    assert len(smaller.shrunk.cut) + len(smaller.shrunk.zeroed) == sum(map(len, removed.values()))


class Steps(nn.Module):
    """A cell in a loop; how many units it has stands in its parent."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.cell, self.out = 6, nn.LSTMCell(3, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = c = torch.zeros(len(x), self.hidden)
        for step in x.unbind(1):
            h, c = self.cell(step, (h, c))
        return self.out(h)


@torch.no_grad()
def test_a_cell_and_the_number_that_its_parent_begins_with() -> None:
    torch.manual_seed(0)
    model = Steps()
    smaller: Any = karikomi.shrink(model, {"cell": [0, 3]}, X)
    lesioned = copy.deepcopy(model)
    for values in lesioned.cell.parameters():
        values.data.unflatten(0, (-1, 6))[:, [0, 3]] = 0
    torch.testing.assert_close(smaller(X), lesioned(X), rtol=1e-5, atol=1e-5)
    assert smaller.hidden == smaller.cell.hidden_size == 4
