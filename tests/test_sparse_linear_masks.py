"""Masks of ``karikomi.torch.SparseLinear``: given, changed, copied, saved and loaded."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

import karikomi
from karikomi.errors import InputError
from karikomi.torch import SparseLinear

ROWS, COLUMNS = 30, 50


def mask_of(density: float, rows: int = ROWS, columns: int = COLUMNS, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((rows, columns)) < density)


@pytest.mark.parametrize("mask", [torch.ones(COLUMNS, ROWS), torch.full((ROWS, COLUMNS), 0.5), np.ones(ROWS * COLUMNS)])
def test_wrong_masks_are_refused(mask):
    with pytest.raises(InputError, match=rf"must hold 0 and 1, in the shape \[{ROWS}, {COLUMNS}\]"):
        SparseLinear(COLUMNS, ROWS, mask)


def test_it_begins_as_nn_linear_does():
    mask = mask_of(0.2)
    torch.manual_seed(3)
    layer = SparseLinear(COLUMNS, ROWS, mask.numpy())
    torch.manual_seed(3)
    dense = nn.Linear(COLUMNS, ROWS)
    assert torch.equal(layer.weight, dense.weight[mask])
    assert layer.bias is not None
    assert torch.equal(layer.bias, dense.bias)
    assert torch.equal(layer.mask, mask)


def test_there_and_back():
    mask = mask_of(0.2)
    linear = nn.Linear(COLUMNS, ROWS, bias=False).eval()
    before = torch.random.get_rng_state()
    back = SparseLinear.from_dense(linear, mask).to_dense()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(back.weight, linear.weight * mask)
    assert back.bias is None
    assert not back.training


class Model(nn.Module):
    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.sparse, self.dense = SparseLinear(COLUMNS, ROWS, mask), nn.Linear(ROWS, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.sparse(x).relu())


@pytest.mark.parametrize("way", ["state", "assigned", "safetensors", "deepcopy", "pickle"])
def test_copies_have_the_mask_and_the_weights(way, tmp_path):
    mask, x = mask_of(0.2), torch.randn(5, COLUMNS)
    model, copied = Model(mask), Model(mask_of(0.3, seed=1))
    expected, file = model(x), tmp_path / "model"
    copied(x)
    if way == "state":
        torch.save(model.state_dict(), file)
        copied.load_state_dict(torch.load(file, weights_only=True))
    elif way == "assigned":
        copied.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)
    elif way == "safetensors":
        save_model(model, str(file))
        load_model(copied, file)
    elif way == "deepcopy":
        copied = copy.deepcopy(model)
    else:
        torch.save(model, file)
        copied = torch.load(file, weights_only=False)
    assert torch.equal(copied.sparse.mask, mask)
    assert torch.equal(copied(x), expected)
    copied.sparse.mask = ~mask
    assert torch.equal(model(x), expected)


@pytest.mark.parametrize("links", [[5, 4], [0, ROWS * COLUMNS], [-1, 3], [3, 3]])
def test_a_state_with_other_links_is_refused(links):
    layer = SparseLinear(COLUMNS, ROWS, mask_of(0.2))
    state = layer.state_dict() | {"links": torch.tensor(links), "weight": torch.ones(2)}
    with pytest.raises(InputError, match="ascending positions"):
        layer.load_state_dict(state)


@settings(max_examples=40)
@given(before=st.sampled_from([0.0, 0.2, 1.0]), after=st.sampled_from([0.0, 0.1, 1.0]), seed=st.integers(0, 2**16))
def test_a_new_mask_keeps_what_stays_and_begins_the_rest_at_zero(before, after, seed):
    old, new = mask_of(before, 9, 11, seed=seed), mask_of(after, 9, 11, seed=seed + 1)
    layer = SparseLinear(11, 9, old)
    parameter, weights = layer.weight, layer.to_dense().weight
    layer.mask = new
    assert layer.weight is parameter
    assert torch.equal(layer.mask, new)
    assert torch.equal(layer.to_dense().weight, weights * new)
    x = torch.randn(4, 11)
    torch.testing.assert_close(layer(x), layer.to_dense()(x))


def test_a_new_mask_forgets_the_gradient_and_graphs_that_are_still_there():
    layer = SparseLinear(COLUMNS, ROWS, mask_of(0.2))
    loss = layer(torch.randn(3, COLUMNS)).sum()
    loss.backward()
    layer.mask = mask_of(0.3, seed=1)
    assert layer.weight.grad is None
    layer(torch.randn(3, COLUMNS)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.shape == layer.weight.shape
    assert loss.requires_grad, "so that the first graph was there"


def test_it_is_found_in_the_package():
    assert karikomi.torch.SparseLinear is SparseLinear
    assert "links=3" in repr(SparseLinear(3, 2, torch.tensor([[1, 0, 1], [0, 1, 0]])))
