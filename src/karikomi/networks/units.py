"""The hidden units of a network, which lesions remove."""

from itertools import pairwise

from torch import nn

from karikomi.networks.subnetwork import link_weights


def hidden_units(module: nn.Module) -> dict[str, int]:
    """How many units each hidden layer has, by the layer's name, in the order in which a signal passes them.

    Everywhere, units are numbered through in this order: those of the first layer, then those of the second.

    >>> from karikomi.networks import build
    >>> hidden_units(build("mlp-256-256", (28, 28), 10))
    {'fc1': 256, 'fc2': 256}
    """
    weights = dict(module.named_parameters())
    return {name.removesuffix(".weight"): len(weights[name]) for name, _ in pairwise(link_weights(module))}
