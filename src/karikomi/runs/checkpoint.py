"""Networks on disk: weights, masks, what they began with, and where they come from; safetensors, never pickles."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn

from karikomi.errors import InputError
from karikomi.networks import OPTIONS, build
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.runs.files import read_arrays, write_arrays

WEIGHTS, MASK, INITIAL, FINAL = "weights", "mask", "initial", "final"
"""Groups of tensors in a file: ``<group>/<parameter>``, or ``<life>/<group>/<parameter>`` where it holds several."""

DESCRIBED = ("network", "sample_shape", "classes")
"""What of its provenance rebuilds a network by name."""


def snapshot(at: int) -> str:
    """The group of the weights after so many iterations."""
    return f"at-{at}"


@dataclass(frozen=True)
class Checkpoint:
    """A network as it was saved, with its past.

    Attributes:
        trained: the network; of one that was trained in a study, at the minimum validation loss or at the end.
        past: other states by group: ``initial``, the weights that its training began with, ``final``, those at the end
            of training, ``at-<k>``, those after k iterations, and an optimizer's moments.
        provenance: study, settings and run that it comes from, replicate, round or cycle, test accuracy.
    """

    trained: Subnetwork
    past: Mapping[str, Arrays] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        known = ("study", "network", "replicate", "round", "cycle", "arm", "pattern", "test_accuracy")
        said = [f"{name} {self.provenance[name]}" for name in known if self.provenance.get(name)]
        return f"Checkpoint({', '.join([*said, f'{self.trained.density:.1%} of the links'])})"

    @property
    def masks(self) -> Arrays:
        """For every weight with links a bool array: which are left."""
        return self.trained.masks

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample that the network takes."""
        return _shape(self.provenance)

    def module(self) -> nn.Module:
        """The network as a plain PyTorch module."""
        return _loaded(self.trained.module, self.trained.weights)

    def initial_module(self) -> nn.Module:
        """The network as it was before its training, removed links 0: of a ticket, what to train again.

        Raises:
            InputError: if the initial weights were not saved.
        """
        if INITIAL not in self.past:
            raise InputError("the initial weights of this network were not saved; tickets of a lottery have them")
        return _loaded(self.trained.module, self.past[INITIAL])

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as arrays by ``<group>/<parameter>``."""
        groups = {WEIGHTS: self.trained.weights, MASK: self.trained.masks, **self.past}
        return {f"{group}/{name}": array for group, members in groups.items() for name, array in members.items()}

    def save(self, path: Path) -> None:
        """Write it as safetensors, whole or not at all."""
        write_arrays(path, self.arrays(), self.provenance)

    def to_share(self) -> Self:
        """Weights, masks and initial weights alone, without what a run needs to go on."""
        return replace(self, past={group: arrays for group, arrays in self.past.items() if group == INITIAL})


def load_network(path: str | Path, module: nn.Module | None = None) -> Checkpoint:
    """Read a network back.

    Args:
        path: a file that ``karikomi export`` wrote, one in a run's ``subnetworks`` folder, or one with the weights
            under the module's own names.
        module: the architecture; needed only where the file does not name one that Karikomi can build.

    Returns:
        The network: ``.module()`` is a plain PyTorch module, ``.masks`` the links that are left.

    Raises:
        InputError: if the file is damaged, holds no network or several, or does not fit the architecture.
    """
    found = read_networks(Path(path), module)
    if len(found) > 1:
        raise InputError(f"{path} holds several networks: {', '.join(found)}; a run's network(…) gives one of them")
    return next(iter(found.values()))


def read_networks(path: Path, architecture: Architecture | nn.Module | None = None) -> dict[str, Checkpoint]:
    """All networks in a file, by what stands before the groups in its names: nothing, if there is one alone.

    Args:
        path: the file.
        architecture: that of the networks, or their module; None: the one that the file names.

    Raises:
        InputError: if the file is damaged, holds no network, or one that does not fit the architecture.
    """
    arrays, provenance = read_arrays(path)
    lives: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for key, array in arrays.items():
        life, group, name = ("/" + (key if "/" in key else f"{WEIGHTS}/{key}")).rsplit("/", 2)
        lives.setdefault(life.removeprefix("/"), {}).setdefault(group.removeprefix("/"), {})[name] = array
    if not lives or not all(WEIGHTS in groups for groups in lives.values()):
        raise InputError(f"{path} holds no network: it lacks tensors {WEIGHTS}/…")
    if architecture is None:
        if not {*DESCRIBED} <= provenance.keys():
            raise InputError(f"{path} does not name its network; give the module that it belongs to")
        settings = json.loads(provenance.get("settings", "{}"))
        options = {name: settings[name] for name in OPTIONS if settings.get(name) is not None}
        architecture = build(provenance["network"], _shape(provenance), int(provenance["classes"]), **options)
    if isinstance(architecture, nn.Module):
        shape = _shape(provenance) if "sample_shape" in provenance else None
        architecture = Architecture(architecture, sample_shape=shape)
    return {life: _checkpoint(architecture, groups, provenance, str(path)) for life, groups in lives.items()}


def read_network(path: Path, architecture: Architecture | None = None) -> Checkpoint:
    """The one network in a file of :meth:`Checkpoint.save`; arguments and errors as in :func:`read_networks`."""
    return read_networks(path, architecture)[""]


def provenance_of(network: str, sample_shape: tuple[int, ...], classes: int, **more: object) -> dict[str, str]:
    """Provenance as text: what rebuilds the network, and more about it."""
    known = {"network": network, "sample_shape": ",".join(map(str, sample_shape)), "classes": classes, **more}
    return {name: value if isinstance(value, str) else repr(value) for name, value in known.items()}


def check_fits(weights: Arrays, architecture: Architecture, where: str) -> None:
    """Raise an InputError that names the first weight of another name or shape than the architecture's."""
    expected = {name: tuple(value.shape) for name, value in architecture.module.state_dict().items()}
    given = {name: array.shape for name, array in weights.items()}
    if given != expected:
        name = next(name for name in {**expected, **given} if expected.get(name) != given.get(name))
        raise InputError(
            f"{where} does not fit the network: of {name} the shape is {given.get(name, 'missing')}, where"
            f" {expected.get(name, 'nothing of that name')} belongs"
        )


def _checkpoint(
    architecture: Architecture, groups: Mapping[str, Arrays], provenance: Mapping[str, str], where: str
) -> Checkpoint:
    check_fits(groups[WEIGHTS], architecture, where)
    network = Subnetwork.full(architecture, groups[WEIGHTS])
    if MASK in groups:
        if not {*network.masks} <= {*groups[MASK]} <= {*network.weights}:
            raise InputError(f"{where} does not fit the network: its masks are those of other layers")
        # Files keep tensors in an order of their own; the first and the last layer are told by the module's order.
        network = network.masked({name: groups[MASK][name] for name in dict.fromkeys((*network.masks, *groups[MASK]))})
    past = {group: arrays for group, arrays in groups.items() if group not in (WEIGHTS, MASK)}
    return Checkpoint(network, past, provenance)


def _shape(provenance: Mapping[str, str]) -> tuple[int, ...]:
    return tuple(int(n) for n in provenance["sample_shape"].split(","))


def _loaded(module: nn.Module, weights: Arrays) -> nn.Module:
    copy = deepcopy(module)
    copy.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return copy
