"""The conditions of the study: perceptrons in a factorial of size, depth, dropout and normalization; other networks."""

import math
from typing import NamedTuple

import numpy as np

from karikomi.errors import InputError
from karikomi.studies.architectures.settings import ArchitecturesSettings
from karikomi.studies.setup import Setup, prepare

ArchitecturesSetup = Setup[ArchitecturesSettings]


class Condition(NamedTuple):
    """An architecture. ``parameters`` is the size that a perceptron's widths were solved for; 0: a network by name."""

    network: str
    parameters: int
    layers: int
    dropout: float
    normalization: str


FACTORS = Condition._fields[1:]


def conditions(setup: ArchitecturesSetup) -> list[Condition]:
    """All conditions, the perceptrons first.

    Raises:
        InputError: for a size that has no room for the layers.
    """
    s, inputs, classes = setup.settings, math.prod(setup.data.sample_shape), setup.data.classes
    perceptrons = [
        Condition(perceptron(size, layers, inputs, classes, normalization), size, layers, dropout, normalization)
        for size in s.parameters
        for layers in s.layers
        for dropout in s.dropouts
        for normalization in s.normalizations
    ]
    return [*perceptrons, *(Condition(name, 0, 0, 0.0, "none") for name in s.networks)]


def perceptron(parameters: int, layers: int, inputs: int, classes: int, normalization: str = "none") -> str:
    """The perceptron of so many hidden layers of one width whose number of parameters is nearest.

    The width h solves (layers − 1) h² + (inputs + layers + classes + 2 layers, if normalized) h + classes = parameters.

    >>> perceptron(203_530, 1, 784, 10), perceptron(118_282, 2, 784, 10)
    ('mlp-256', 'mlp-128-128')

    Raises:
        InputError: if not one unit has room.
    """
    own = 3 if normalization != "none" else 1  # bias; scale and shift
    too_many = np.trim_zeros([layers - 1, inputs + classes + own * layers, classes - parameters], "f")
    width = math.floor(np.roots(too_many).real.max())
    width = min(width, width + 1, key=lambda units: abs(np.polyval(too_many, units)))
    if width < 1:
        raise InputError(f"{parameters} parameters have no room for {layers} hidden layers on {inputs} inputs")
    return "mlp" + layers * f"-{width}"


def settings_of(settings: ArchitecturesSettings, condition: Condition) -> ArchitecturesSettings:
    """The settings by which the networks of a condition are built and trained."""
    options = {"dropout": condition.dropout, "normalization": condition.normalization} if condition.parameters else {}
    return settings.changed(network=condition.network, **options)


def setup_of(setup: ArchitecturesSetup, condition: Condition) -> ArchitecturesSetup:
    """The setup of a condition, on the same data.

    Raises:
        InputError: if the network does not take the data.
    """
    done = {"label_noise": None, "standardize": None}  # to the data of the setup
    return prepare(settings_of(setup.settings, condition).changed(**done), setup.data)
