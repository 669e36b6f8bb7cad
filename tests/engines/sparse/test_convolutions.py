"""Convolutions of the sparse engine, forward and back, against PyTorch in float64."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from karikomi.engines.sparse.kernels import convolution_layout
from karikomi.engines.sparse.kernels.convolution import convolve, convolve_back, turn_weights
from karikomi.engines.sparse.kernels.convolution_gradients import convolution_bias_gradient, convolution_gradient
from karikomi.engines.sparse.kernels.convolution_layout import (
    DENSE,
    WIDTHS,
    Shape,
    collected,
    halo_of_outputs,
    outputs_of,
    place_convolution,
)
from karikomi.engines.sparse.kernels.layout import aligned
from karikomi.engines.sparse.kernels.placement import Pools
from karikomi.engines.sparse.kernels.planes import ROW, extent, planes


class Passed(NamedTuple):
    """What comes out of a convolution and its way back; channels last but for the weights."""

    y: np.ndarray
    dx: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


class Case(NamedTuple):
    shape: Shape
    mask: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    x: np.ndarray
    dy: np.ndarray
    before: np.ndarray
    """What other readers brought to the derivatives by x."""
    flags: tuple[bool, bool, bool]
    """Whether outputs are rectified, derivatives added to what was there, and inputs taken as rectified."""


def drawn(
    shape: Shape,
    channels: tuple[int, int],
    size: tuple[int, int],
    density: float,
    *,
    examples: int = ROW,
    bias: bool = True,
    flags: tuple[bool, bool, bool] = (False, False, False),
    seed: int = 0,
) -> Case:
    """A case with ``channels`` inputs and outputs of each group."""
    rng = np.random.default_rng(seed)
    (inputs, outputs), groups = channels, shape.groups
    mask = rng.random((outputs * groups, inputs, *shape.kernel)) < density
    x = rng.standard_normal((examples, inputs * groups, *size))
    return Case(
        *(shape, mask, rng.standard_normal(mask.shape) * mask),
        *(rng.standard_normal(len(mask)) if bias else None, x),
        *(rng.standard_normal((examples, len(mask), *outputs_of(shape, *size))), rng.standard_normal(x.shape), flags),
    )


def by_kernels(case: Case) -> Passed:
    shape, mask, (rectify, add, rectified) = case.shape, case.mask, case.flags
    x = signal_of(case.x, 0, max(shape.padding))
    y = signal_of(case.dy, extent(x), halo_of_outputs(shape))
    pools, block = Pools(), extent(x) + extent(y)
    layer, places = place_convolution(shape, mask, x, y, pools, bias=case.bias is not None)
    convolutions = collected([layer], pools)
    parameters = aligned(pools.parameters)
    for name, values in (("weight", case.weight), ("bias", case.bias)):
        if values is not None:
            parameters[places[name].positions] = values.ravel()[places[name].elements]
    blocks = -(-len(case.x) // ROW)
    units, deltas, gradient = aligned(blocks * block), aligned(blocks * block), aligned(len(parameters))
    biases = aligned(len(mask))
    turn_weights(convolutions, parameters, 0, 1)
    for number in range(blocks):
        write(units, x, number * block, case.x[number * ROW :])
        write(deltas, y, number * block, case.dy[number * ROW :])
        write(deltas, x, number * block, case.before[number * ROW :])
        convolve(convolutions, 0, units, number * block, parameters, rectify)
        convolve_back(convolutions, 0, units, deltas, deltas, number * block, add, rectified)
        convolution_gradient(convolutions, 0, units, deltas, number * block, gradient, layer["weights"])
        convolution_bias_gradient(convolutions, 0, deltas, number * block, biases, 0)
    weight = np.zeros(mask.shape)
    weight.ravel()[places["weight"].elements] = gradient[places["weight"].positions]
    # Nobody's parameters, and those of removed links, must not move.
    assert not np.delete(gradient, places["weight"].positions).any()
    for array in (units, deltas):
        inside = sum(np.abs(read(array, signal, block, blocks * ROW)).sum() for signal in (x, y))
        assert np.abs(array).sum() == pytest.approx(inside, rel=1e-3)  # halos are 0 as they were
    examples = len(case.x)
    return Passed(read(units, y, block, examples), read(deltas, x, block, examples), weight, biases)


def signal_of(values: np.ndarray, start: int, halo: int) -> Any:
    _, channels, height, width = values.shape
    return planes(start, channels, height, width, halo)[0]


def inner(array: np.ndarray, signal: Any, start: int) -> np.ndarray:
    """The signal in one block: channels, rows, columns, examples."""
    sides = [signal[side] + 2 * signal["halo"] for side in ("height", "width")]
    start, size = start + signal["start"], extent(signal)
    halo, whole = signal["halo"], array[start : start + size].reshape(signal["channels"], *sides, ROW)
    return whole[:, halo : sides[0] - halo, halo : sides[1] - halo]


def write(array: np.ndarray, signal: Any, start: int, values: np.ndarray) -> None:
    some = values[:ROW].transpose(1, 2, 3, 0)
    inner(array, signal, start)[..., : some.shape[-1]] = some


def read(array: np.ndarray, signal: Any, block: int, examples: int) -> np.ndarray:
    starts = range(0, len(array), block)
    return np.concatenate([inner(array, signal, start).transpose(3, 0, 1, 2) for start in starts])[:examples]


def by_pytorch(case: Case) -> Passed:
    shape, (rectify, add, rectified) = case.shape, case.flags
    given = torch.tensor(case.x, requires_grad=True)
    weight = torch.tensor(case.weight, requires_grad=True)
    bias = torch.tensor(np.zeros(len(case.mask)) if case.bias is None else case.bias, requires_grad=True)
    y = torch.nn.functional.conv2d(given, weight, bias, shape.stride, shape.padding, shape.dilation, shape.groups)
    y.backward(torch.tensor(case.dy))

    def slope(tensor: Tensor) -> np.ndarray:
        assert tensor.grad is not None
        return tensor.grad.numpy()

    dx = slope(given) + (case.before if add else 0)
    return Passed(
        (y.relu() if rectify else y).detach().numpy(),
        np.where(case.x > 0, dx, 0) if rectified else dx,
        slope(weight) * case.mask,
        slope(bias),
    )


def near(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal up to float32's rounding of long sums."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=4e-6 * max(1, np.abs(expected).max()))


def agree(case: Case) -> None:
    for found, expected in zip(by_kernels(case), by_pytorch(case), strict=True):
        near(found, expected)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def shapes(draw: st.DrawFn) -> tuple[Shape, tuple[int, int]]:
    """Any convolution, and the size of an image that its kernel fits into."""
    kernel, stride, dilation = draw(st.tuples(st.integers(1, 5), st.integers(1, 5))), draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    height, width = (smallest + draw(st.integers(0, 17)) for smallest in least)
    return Shape(kernel, stride, padding, dilation, draw(st.integers(1, 3))), (height, width)


@settings(max_examples=150, deadline=None)
@given(
    drawing=shapes(),
    channels=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    density=st.sampled_from([0.0, 0.05, 0.3, 0.6, 0.9, 1.0]),
    examples=st.integers(1, 2 * ROW + 3),
    bias=st.booleans(),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 2**16),
)
def test_any_convolution(drawing, channels, density, examples, bias, flags, seed):
    shape, size = drawing
    agree(drawn(shape, channels, size, density, examples=examples, bias=bias, flags=flags, seed=seed))


@pytest.mark.parametrize("density", [1.0, 0.8, 0.4, 0.1, 0.02])
@pytest.mark.parametrize(
    ("shape", "channels", "size"),
    [
        (Shape((3, 3), padding=(1, 1)), (1, 8), (28, 28)),
        (Shape((5, 5), padding=(2, 2)), (1, 6), (28, 28)),
        (Shape((5, 5)), (6, 16), (14, 14)),
        (Shape((3, 3), padding=(1, 1)), (16, 16), (28, 28)),
        (Shape((3, 3), (2, 2), (1, 1)), (16, 32), (28, 28)),
        (Shape((1, 1), (2, 2)), (16, 32), (28, 28)),
        (Shape((3, 3), padding=(1, 1)), (64, 64), (7, 7)),
        (Shape((3, 3), padding=(1, 1), groups=24), (1, 2), (9, 9)),
        (Shape((1, 9), (1, 2), (0, 4)), (3, 5), (1, 64)),
    ],
    ids=["conv-1", "lenet-1", "lenet-2", "resnet-16", "resnet-down", "shortcut", "resnet-64", "depthwise", "1-d"],
)
def test_convolutions_of_the_networks(shape, channels, size, density):
    agree(drawn(shape, channels, size, density))


@pytest.mark.parametrize("columns", range(1, 2 * WIDTHS[-1] + 2))
@pytest.mark.parametrize("density", [1.0, 0.5])
def test_lines_of_any_length(columns, density):
    agree(drawn(Shape((3, 3), padding=(1, 1)), (2, 2), (3, columns), density))


@pytest.mark.parametrize("bytes_near", [1, 4096, 1 << 20])
@pytest.mark.parametrize("density", [1.0, 0.5, 0.05])
def test_tiles_of_any_size(monkeypatch, bytes_near, density):
    monkeypatch.setattr(convolution_layout, "NEAR", bytes_near)
    agree(drawn(Shape((3, 3), padding=(1, 1)), (7, 6), (12, 20), density, flags=(True, False, True)))


def test_removed_links_of_a_dense_layer_have_no_gradient():
    # It is checked in by_kernels that no other gradient than that of links is left.
    case = drawn(Shape((3, 3), padding=(1, 1)), (4, 4), (6, 6), 0.9)
    assert DENSE <= case.mask.mean() < 1
    agree(case)


def test_the_gradient_is_added_to_what_is_there():
    case = drawn(Shape((3, 3), padding=(1, 1)), (2, 3), (5, 5), 0.5, examples=2 * ROW)
    halves = [case._replace(x=case.x[part], dy=case.dy[part]) for part in (slice(ROW), slice(ROW, None))]
    together, (one, other) = by_kernels(case), map(by_kernels, halves)
    near(together.weight, one.weight + other.weight)
    near(together.bias, one.bias + other.bias)
