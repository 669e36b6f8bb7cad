"""``karikomi.torch.SparseLinear`` against ``nn.Linear`` under a mask that is multiplied in."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from karikomi.torch import SparseLinear

ROWS, COLUMNS = 30, 50


def random_mask(rows: int, columns: int, density: float, seed: int = 0) -> Tensor:
    """Some rows and columns of it are empty, but at density 1."""
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns)) < density
    if density < 1:
        mask[rng.random(rows) < 0.1], mask[:, rng.random(columns) < 0.1] = False, False
    return torch.from_numpy(mask)


class Masked(nn.Module):
    """The oracle: a dense product, with the mask multiplied in."""

    def __init__(self, linear: nn.Linear, mask: Tensor) -> None:
        super().__init__()
        self.linear, self.mask = copy.deepcopy(linear), mask

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.linear.weight * self.mask, self.linear.bias)


def pair(mask: Tensor, bias: bool = True, dtype: torch.dtype = torch.float32) -> tuple[SparseLinear, Masked]:
    torch.manual_seed(0)
    linear = nn.Linear(mask.shape[1], mask.shape[0], bias, dtype=dtype)
    return SparseLinear.from_dense(linear, mask), Masked(linear, mask)


def assert_alike(ours: Tensor, expected: Tensor) -> None:
    largest = float(expected.detach().abs().max()) if expected.numel() else 0.0
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5 * max(1.0, largest))


def gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


@settings(max_examples=150)
@given(
    sizes=st.tuples(st.integers(1, 400), st.integers(1, 200)),
    density=st.sampled_from([0.0, 0.01, 0.03, 0.05, 0.2, 0.45, 0.6, 1.0]),
    batch=st.one_of(st.tuples(st.integers(1, 200)), st.tuples(st.integers(1, 9), st.integers(1, 22))),
    bias=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_outputs_and_gradients_are_those_of_the_masked_dense_layer(sizes, density, batch, bias, seed):
    columns, rows = sizes
    mask = random_mask(rows, columns, density, seed)
    ours, dense = pair(mask, bias)
    x = torch.randn(*batch, columns, generator=torch.Generator().manual_seed(seed))
    slopes = torch.randn(*batch, rows, generator=torch.Generator().manual_seed(seed + 1))
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    outputs = [layer(one) for layer, one in zip((ours, dense), inputs, strict=True)]
    assert_alike(*outputs)
    for output in outputs:
        output.backward(slopes)
    assert_alike(*map(gradient, inputs))
    assert_alike(gradient(ours.weight), gradient(dense.linear.weight)[mask])
    if ours.bias is not None:
        assert_alike(gradient(ours.bias), gradient(dense.linear.bias))


def test_gradients_are_those_of_finite_differences():
    """In float32, of a function that is linear in each of what it is differentiated by: large steps are exact."""
    layer, _ = pair(random_mask(7, 20, 0.3))
    x, slopes = torch.randn(70, 20, requires_grad=True), torch.randn(70, 7)

    def value() -> float:
        with torch.no_grad():
            return float((layer(x) * slopes).sum(dtype=torch.float64))

    (layer(x) * slopes).sum().backward()
    for tensor in (x, *layer.parameters()):
        for place in np.random.default_rng(0).integers(tensor.numel(), size=10):
            values = []
            for step in (0.5, -1.0):
                with torch.no_grad():
                    tensor.view(-1)[place] += step
                values.append(value())
            with torch.no_grad():
                tensor.view(-1)[place] += 0.5
            assert values[0] - values[1] == pytest.approx(float(gradient(tensor).view(-1)[place]), abs=1e-3)


def test_only_what_is_wanted_is_differentiated():
    layer, dense = pair(random_mask(ROWS, COLUMNS, 0.2))
    layer.weight.requires_grad_(False)
    x = torch.randn(9, COLUMNS, requires_grad=True)
    layer(x).sum().backward()
    assert layer.weight.grad is None
    assert_alike(gradient(x), torch.autograd.grad(dense(x).sum(), x)[0])
    with torch.no_grad():
        assert not layer(x).requires_grad


def test_inputs_may_lie_in_any_way_and_the_layer_be_called_often():
    layer, dense = pair(random_mask(COLUMNS, COLUMNS, 0.2))
    x = torch.randn(COLUMNS, 8).t()
    for one in (layer, dense):
        one(one(one(x)).relu()).sum().backward()
    assert_alike(gradient(layer.weight), gradient(dense.linear.weight)[dense.mask])


def test_threads_may_share_a_layer():
    layer, dense = pair(random_mask(200, 300, 0.2))
    inputs = torch.randn(40, 130, 300)
    with ThreadPoolExecutor(4) as pool:
        for ours, x in zip(pool.map(layer, inputs), inputs, strict=True):
            assert_alike(ours, dense(x))


def test_a_retained_graph_can_be_gone_through_again():
    layer, _ = pair(random_mask(ROWS, COLUMNS, 0.2))
    loss = layer(torch.randn(3, COLUMNS)).square().sum()
    loss.backward(retain_graph=True)
    once = gradient(layer.weight).clone()
    loss.backward()
    torch.testing.assert_close(gradient(layer.weight), 2 * once)


def test_differentiating_twice_is_refused_in_one_line():
    layer, _ = pair(random_mask(ROWS, COLUMNS, 0.2))
    x = torch.randn(3, COLUMNS, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"can be differentiated once.*to_dense\(\)"):
        torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_are_computed_densely(dtype):
    layer, dense = pair(random_mask(ROWS, COLUMNS, 0.2), dtype=dtype)
    x = torch.randn(4, COLUMNS, dtype=dtype)
    torch.testing.assert_close(layer(x), dense(x))
    with pytest.raises(RuntimeError, match="dtype"):
        layer(x.float())
    assert_alike(layer.float()(x.float()), dense.float()(x.float()))


def test_compiled_it_is_computed_densely():
    layer, dense = pair(random_mask(ROWS, COLUMNS, 0.2))
    x = torch.randn(4, COLUMNS)
    assert_alike(torch.compile(layer, backend="aot_eager", fullgraph=True)(x), dense(x))


@pytest.mark.parametrize("shape", [(0, COLUMNS), (2, 0, COLUMNS), (COLUMNS,)])
def test_no_examples_and_one_without_a_batch(shape):
    layer, dense = pair(random_mask(ROWS, COLUMNS, 0.2))
    assert_alike(layer(torch.ones(shape)), dense(torch.ones(shape)))


def test_wrong_inputs_are_refused_as_by_nn_linear():
    layer, _ = pair(random_mask(ROWS, COLUMNS, 0.2))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer(torch.ones(3, COLUMNS + 1))


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.05, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, 1e-3, fused=True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_is_that_of_masked_dense_layers(name):
    """200 steps, in which the mask changes twice: new links of the dense layers begin at 0, with moments of 0."""
    torch.manual_seed(0)
    masks = [[random_mask(o, i, 0.2, seed) for i, o in ((20, 40), (40, 4))] for seed in range(3)]
    linear = [nn.Linear(20, 40), nn.Linear(40, 4)]
    whole = nn.Sequential(linear[0], nn.Tanh(), linear[1])
    layers = [SparseLinear.from_dense(layer, mask) for layer, mask in zip(linear, masks[0], strict=True)]
    ours = nn.Sequential(layers[0], nn.Tanh(), layers[1])
    optimizers = [OPTIMIZERS[name](one.parameters()) for one in (ours, whole)]
    for step in range(200):
        if step in (70, 140):
            for layer, mask in zip(layers, masks[step // 70], strict=True):
                layer.remask(mask, optimizers[0])
        with torch.no_grad():
            for layer, mask in zip(linear, masks[step // 70], strict=True):
                for values in (layer.weight, *optimizers[1].state.get(layer.weight, {}).values()):
                    if isinstance(values, Tensor) and values.ndim:
                        values.mul_(mask)
        x, y = torch.randn(60, 20), torch.randint(4, (60,))
        losses = [functional.cross_entropy(one(x), y) for one in (ours, whole)]
        for optimizer, loss in zip(optimizers, losses, strict=True):
            optimizer.zero_grad()
            loss.backward()
        for layer, mask in zip(linear, masks[step // 70], strict=True):
            gradient(layer.weight).mul_(mask)
        for optimizer in optimizers:
            optimizer.step()
        torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-5)
    for layer, dense, mask in zip(layers, linear, masks[2], strict=True):
        torch.testing.assert_close(layer.weight, dense.weight[mask], rtol=1e-3, atol=2e-5)
