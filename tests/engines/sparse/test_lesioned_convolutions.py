"""Convolutions of lesioned networks, by minimal filtering and by what one channel adds, against PyTorch in float64."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d, max_pool2d, relu

from karikomi.engines.sparse.growth_layout import Growing, can_grow
from karikomi.engines.sparse.kernels.convolution_layout import Shape, outputs_of
from karikomi.engines.sparse.kernels.growth import grow
from karikomi.engines.sparse.kernels.layout import aligned
from karikomi.engines.sparse.kernels.placement import padded
from karikomi.engines.sparse.kernels.planes import ROW, extent, planes
from karikomi.engines.sparse.kernels.winograd import convolve_tiles
from karikomi.engines.sparse.winograd_layout import Tilings, fit_tiles

FLOORS = {False: np.float32(-np.inf), True: np.float32(0)}


def laid_out(*signals: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Records of signals (channels, height, width, halo) one behind the other, and room for them."""
    records = np.concatenate([planes(0, *signal) for signal in signals])
    sizes = [padded(extent(record), 64) for record in records]
    records["start"] = np.cumsum(sizes) - sizes
    return records, aligned(sum(sizes))


def inside(units: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """The places of a signal without its halo, ``[channels, height, width, examples]``."""
    channels, height, width, halo = (int(signal[name]) for name in ("channels", "height", "width", "halo"))
    whole = units[signal["start"] :][: extent(signal)].reshape(channels, height + 2 * halo, width + 2 * halo, ROW)
    return whole[:, halo : halo + height, halo : halo + width]


def is_bordered(units: np.ndarray, signal: np.ndarray) -> bool:
    """Whether all around a signal is 0."""
    around = units.copy()
    inside(around, signal)[:] = 0
    return not around[signal["start"] :][: extent(signal)].any()


def examples_last(x: torch.Tensor) -> np.ndarray:
    return x.permute(1, 2, 3, 0).numpy()


def followed(sums: torch.Tensor, rectify: bool, pooled: bool) -> np.ndarray:
    sums = max_pool2d(sums, 2) if pooled else sums
    return examples_last(relu(sums) if rectify else sums)


@settings(max_examples=60)
@given(
    channels=st.tuples(st.integers(1, 6), st.integers(1, 9)),
    size=st.tuples(st.integers(4, 13), st.integers(4, 13)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 99),
)
def test_filtering_is_the_convolution(channels, size, padding, flags, seed):
    (inputs, outputs), rng, (rectify, biased, silenced, joined) = channels, np.random.default_rng(seed), flags
    height, width = outputs_of(Shape((3, 3), padding=padding), *size)
    if min(height, width) < 4:
        return
    pooled = height % 2 == width % 2 == 0
    behind = (height // 2, width // 2) if pooled else (height, width)
    signals, units = laid_out((inputs, *size, 2), (outputs, height, width, 0), (outputs, *behind, 1))
    x, weight = (
        torch.tensor(rng.normal(size=(ROW, inputs, *size))),
        torch.tensor(rng.normal(size=(outputs, inputs, 3, 3))),
    )
    bias = rng.normal(size=outputs) if biased else None
    if silenced:
        x[:, rng.integers(inputs)] = 0
    inside(units, signals[0])[:] = examples_last(x)
    tilings = Tilings()
    number = tilings.place(signals, 0, 1, padding, weight.numpy(), bias)
    if joined:
        number = tilings.into(number, signals, 2)
    convolve_tiles(tilings.all(), number, units, signals, 0, FLOORS[rectify])
    sums = conv2d(x.float().double(), weight, None if bias is None else torch.tensor(bias), padding=padding)
    found = inside(units, signals[2 if joined else 1])
    np.testing.assert_allclose(found, followed(sums, rectify, pooled and joined), rtol=0, atol=5e-5)
    assert is_bordered(units, signals[2])


@settings(max_examples=60)
@given(
    channels=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    size=st.tuples(st.integers(2, 17), st.integers(2, 17)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.integers(0, 2),
    density=st.sampled_from([0.0, 0.3, 1.0]),
    rectify=st.booleans(),
    seed=st.integers(0, 99),
)
def test_sums_grow_by_the_channel(channels, size, kernel, dilation, padding, density, rectify, seed):
    (inputs, outputs), rng = channels, np.random.default_rng(seed)
    shape = Shape(kernel, padding=(padding, padding), dilation=dilation)
    height, width = outputs_of(shape, *size)
    if min(height, width) < 1:
        return
    pooled = height % 2 == width % 2 == 0
    behind = (height // 2, width // 2) if pooled else (height, width)
    signals, units = laid_out((1, *size, padding), (outputs, height, width, 0), (outputs, *behind, 1))
    if not can_grow(shape, signals[1]):
        assert height == 1
        return
    mask = rng.random((outputs, inputs, *kernel)) < density
    weight = torch.tensor(rng.normal(size=mask.shape) * mask)
    channel, growth = int(rng.integers(inputs)), torch.tensor(rng.normal(size=(ROW, 1, *size)))
    before = torch.tensor(rng.normal(size=(ROW, outputs, height, width)))
    growing, kept = Growing(), len(units)
    number = growing.place(shape, signals, (0, 1, 2), weight.numpy(), mask)
    units = np.concatenate([units, units])
    inside(units, signals[0])[:], inside(units[kept:], signals[1])[:] = examples_last(growth), examples_last(before)
    grow(growing.all(), number, channel, units, signals, kept, FLOORS[rectify])
    x = torch.zeros(ROW, inputs, *size, dtype=torch.double)
    x[:, channel] = growth[:, 0].float().double()
    sums = before.float().double() + conv2d(x, weight, padding=padding, dilation=dilation)
    np.testing.assert_allclose(inside(units, signals[2]), followed(sums, rectify, pooled), rtol=0, atol=1e-5)
    assert is_bordered(units, signals[2])


def test_few_links_and_other_windows_are_for_plain_sums():
    [target] = planes(0, 8, 14, 14)
    mask = np.ones((8, 8, 3, 3), bool)
    assert fit_tiles(Shape((3, 3), padding=(1, 1)), mask, target)
    for shape in (Shape((3, 3), stride=(2, 1)), Shape((3, 3), dilation=(1, 2)), Shape((3, 3), groups=2)):
        assert not fit_tiles(shape, mask[:, : 8 // shape.groups], target)
    assert not can_grow(Shape((3, 3), groups=2), target)
    assert not fit_tiles(Shape((3, 2)), mask[..., :2], target)
    assert not fit_tiles(Shape((3, 3)), mask, planes(0, 8, 14, 3)[0])
    assert not fit_tiles(Shape((3, 3)), np.random.default_rng(0).random(mask.shape) < 0.2, target)
