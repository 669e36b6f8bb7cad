"""A subnetwork without units computes what the network does when their signals are held at 0."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture
from karikomi.networks.mlp import mlp
from karikomi.removal.units import remove_units

# Each network with the samples it takes, and the parts behind which each hidden layer's signal is whole.
NETWORKS = {
    "perceptron": (mlp((2, 3), [5, 4, 3], 3), (2, 3), ("relu1", "relu2", "relu3")),
    "tanh without biases": (
        nn.Sequential(nn.Linear(4, 3, bias=False), nn.Tanh(), nn.Linear(3, 2, bias=False)),
        (4,),
        ("1",),
    ),
    "sigmoid": (nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2)), (4,), ("1",)),
    "normalized": (
        nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)),
        (4,),
        ("2",),
    ),
    "convolutions": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 6, 2, groups=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.BatchNorm1d(6 * 4),
            nn.Linear(6 * 4, 5),
            nn.ReLU(),
            nn.Linear(5, 3),
        ),
        (2, 6, 6),
        ("2", "7", "9"),
    ),
    "grouped": (
        nn.Sequential(nn.Conv1d(3, 6, 2), nn.ReLU(), nn.Conv1d(6, 6, 2, groups=3), nn.Flatten(), nn.Linear(18, 2)),
        (3, 5),
        ("1", "2"),
    ),
}


def outputs(subnetwork, x, hooked=(), silent=()):
    """Logits, the signals behind ``hooked`` parts being 0 where ``silent`` says so."""
    module = subnetwork.module.eval()
    weights = {name: torch.tensor(value) for name, value in subnetwork.weights.items()}

    def holding(lost):
        def hook(part, given, out):
            by_unit = out.unflatten(1, (len(lost), -1))
            return by_unit.masked_fill(lost.view(1, -1, *[1] * (by_unit.ndim - 2)), 0).view_as(out)

        return hook

    hooks = [
        module.get_submodule(name).register_forward_hook(holding(lost))
        for name, lost in zip(hooked, silent, strict=True)
    ]
    with torch.no_grad():
        logits = functional_call(module, weights, (x,))
    for each in hooks:
        each.remove()
    return logits


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**16), share=st.sampled_from([0.0, 0.3, 1.0]), density=st.sampled_from([0.5, 1.0]))
def test_what_is_left_computes_what_the_network_does_with_silent_units(subnetwork, name, seed, share, density):
    module, sample, hooked = NETWORKS[name]
    network = subnetwork(module, density, seed)
    sizes = list(Architecture(module).hidden_units.values())
    gone = np.random.default_rng(seed).random(sum(sizes)) < share
    lesioned = remove_units(network, np.flatnonzero(gone))
    silent = torch.split(torch.tensor(gone), sizes)
    x = torch.tensor(np.random.default_rng(seed).standard_normal((7, *sample)), dtype=torch.float32)
    torch.testing.assert_close(outputs(lesioned, x), outputs(network, x, hooked, silent), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_removed_links_are_0_and_nothing_else_changes(subnetwork, name):
    network = subnetwork(NETWORKS[name][0], 0.7)
    copies = {key: value.copy() for key, value in network.weights.items()}
    lesioned = remove_units(network, [0])
    for key, mask in lesioned.masks.items():
        assert not (mask & ~network.masks[key]).any(), "masks only shrink"
        assert (lesioned.weights[key][~mask] == 0).all()
        assert (lesioned.weights[key][mask] == network.weights[key][mask]).all()
    assert {key: value.dtype for key, value in lesioned.weights.items()} == {
        key: value.dtype for key, value in network.weights.items()
    }
    assert all((network.weights[key] == copies[key]).all() for key in copies)
    again = remove_units(lesioned, [0])
    assert all((again.weights[key] == lesioned.weights[key]).all() for key in copies)


def test_rows_biases_and_columns_of_a_perceptron(subnetwork):
    network = subnetwork(mlp((2, 3), [4, 3], 2))
    lesioned = remove_units(network, [2, 4, 5])
    expected = {key: mask.copy() for key, mask in network.masks.items()}
    expected["fc1.weight"][2] = False
    expected["fc2.weight"][:, 2] = False
    expected["fc2.weight"][:2] = False
    expected["output.weight"][:, :2] = False
    assert all((lesioned.masks[key] == mask).all() for key, mask in expected.items())
    assert np.flatnonzero(lesioned.weights["fc1.bias"] == 0).tolist() == [2]
    assert np.flatnonzero(lesioned.weights["fc2.bias"] == 0).tolist() == [0, 1]
    assert (lesioned.weights["output.bias"] == network.weights["output.bias"]).all()
    assert lesioned.links == (4 - 1) * 6 + 1 * 3 + 1 * 2


@settings(max_examples=30)
@given(st.lists(st.integers(0, 6), unique=True), st.integers(0, 7))
def test_removal_in_steps_is_removal_at_once(small, units, first):
    steps = remove_units(remove_units(small, units[:first]), units[first:])
    once = remove_units(small, units)
    for key, value in once.weights.items():
        np.testing.assert_array_equal(steps.weights[key], value)
    for key, mask in once.masks.items():
        np.testing.assert_array_equal(steps.masks[key], mask)


@pytest.mark.parametrize("units", [[7], [-1], [1, 1]])
def test_unknown_and_repeated_units_are_refused(small, units):
    with pytest.raises(InputError, match="unit"):
        remove_units(small, units)
