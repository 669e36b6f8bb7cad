"""What is left at every step, against the network with the units removed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from karikomi.networks import build
from karikomi.networks.subnetwork import Subnetwork
from karikomi.removal.remaining import remaining
from karikomi.removal.units import remove_units


def counted(subnetwork, order, owned):
    """Links and parameters after every removal; a unit of layer k owns ``owned[k]`` parameters, the outputs 2."""
    per_unit = np.repeat(owned, list(subnetwork.architecture.hidden_units.values()))
    links = [remove_units(subnetwork, order[:step]).links for step in range(len(order) + 1)]
    others = [2 + int(np.delete(per_unit, order[:step]).sum()) for step in range(len(order) + 1)]
    return links, [a + b for a, b in zip(links, others, strict=True)]


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.Flatten(),
        nn.Linear(6 * 4, 2),
    )


@settings(max_examples=30)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.floats(0, 1), st.integers(0, 2**32))
def test_links_and_parameters_of_perceptrons_with_masks(widths, density, seed):
    rng = np.random.default_rng(seed)
    whole = Subnetwork.from_module(build("-".join(["mlp", *map(str, widths)]), (5,), 2))
    subnetwork = whole.masked({name: rng.random(mask.shape) < density for name, mask in whole.masks.items()})
    orders = np.stack([rng.permutation(sum(widths)) for _ in range(2)])[:, : rng.integers(sum(widths)) + 1]
    left = remaining(subnetwork, orders)
    for row, order in enumerate(orders):
        links, parameters = counted(subnetwork, order, [1] * len(widths))
        assert left.links[row].tolist() == links
        assert left.parameters[row].tolist() == parameters


def test_channels_take_their_kernels_and_normalization():
    subnetwork = Subnetwork.from_module(convolutional())
    order = np.random.default_rng(0).permutation(10)
    links, parameters = counted(subnetwork, order, [3, 1])
    left = remaining(subnetwork, order)
    assert left.links.tolist() == links
    assert left.parameters.tolist() == parameters
    assert left.parameters[0] == sum(p.numel() for p in subnetwork.module.parameters())


def test_what_is_added_to_something_else_counts_by_its_rows():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 3)

        def forward(self, x):
            return self.last(self.first(x) + x)

    left = remaining(Subnetwork.from_module(Both()), np.array([1, 0]))
    assert left.links.tolist() == [10, 8, 6]
    assert left.parameters.tolist() == [15, 12, 9]
