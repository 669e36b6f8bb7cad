"""Units that share a place are cut out together, and alone become 0."""

import copy
from typing import Any

import pytest
import torch
from tests.zoo.convolutions import SqueezeExcite
from tests.zoo.oracle import trained
from tests.zoo.others import Gated
from torch import Tensor, nn

import karikomi


@pytest.mark.parametrize(("kind", "layers"), [(SqueezeExcite, ("conv", "excite")), (Gated, ("value", "gate"))])
@torch.no_grad()
def test_a_gate_goes_with_what_it_gates(kind: Any, layers: tuple[str, str]) -> None:
    model: Any = trained(kind)
    inputs = model.given(5)
    together: Any = karikomi.shrink(model, {name: [0, 2] for name in layers}, inputs)

    def change(name: str, signal: Tensor, axis: int = -1) -> Tensor:
        return signal.index_fill(axis, torch.tensor([0, 2]), 0) if name in layers else signal

    torch.testing.assert_close(together(*inputs), model(*inputs, change=change), rtol=1e-5, atol=1e-5)
    for name in layers:
        units = len(model.get_parameter(f"{name}.weight"))
        assert len(together.get_parameter(f"{name}.weight")) == units - 2
    alone: Any = karikomi.shrink(model, {layers[0]: [0, 2]}, inputs)
    assert len(alone.shrunk.zeroed) == 2
    assert "units that stay" in alone.shrunk.why[layers[0]]


@torch.no_grad()
def test_halves_of_a_gated_linear_unit_go_together() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 10), nn.GLU(), nn.Linear(5, 3)), torch.randn(6, 4)
    smaller: Any = karikomi.shrink(model, {"0": [1, 3, 6, 8]}, x)
    assert (smaller[0].out_features, smaller[2].in_features) == (6, 3)
    lesioned = copy.deepcopy(model)
    lesioned.state_dict()["2.weight"][:, [1, 3]] = 0
    torch.testing.assert_close(smaller(x), lesioned(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("norm", "cut"),
    [
        (nn.GroupNorm(3, 6, affine=False), False),  # how many groups it has stands in no parameter that is cut
        (nn.GroupNorm(3, 6), True),  # its shift is 0
        (nn.GroupNorm(6, 6), True),
        (nn.InstanceNorm2d(6, affine=True), True),
        (nn.GroupNorm(2, 6), False),
        (nn.GroupNorm(1, 6), False),
    ],
)
@torch.no_grad()
def test_whole_groups_of_a_group_normalization_go(norm: nn.Module, cut: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 6, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 3))
    x = torch.randn(4, 1, 6, 6)
    lesioned = copy.deepcopy(model)
    for parameter in lesioned[0].parameters():
        parameter[2:4] = 0
    smaller: Any = karikomi.shrink(model, {"0": [2, 3]}, x)
    torch.testing.assert_close(smaller(x), lesioned(x), rtol=1e-5, atol=1e-5)
    assert smaller[0].out_channels == (4 if cut else 6)
    assert len(smaller.shrunk.cut) == 2 * cut


@torch.no_grad()
def test_a_shift_that_a_group_normalization_adds_is_not_lost() -> None:
    """Channels that are 0 before it show their shift behind it: they cannot be cut out."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.GroupNorm(3, 6), nn.Flatten(), nn.Linear(6 * 16, 3))
    nn.init.normal_(model.get_parameter("1.bias"))
    smaller: Any = karikomi.shrink(model, {"0": [2, 3]}, torch.randn(4, 1, 6, 6))
    assert smaller.shrunk.zeroed.tolist() == [2, 3]
    assert "would be off by" in smaller.shrunk.why["0"]
