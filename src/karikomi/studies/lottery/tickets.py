"""Tickets on disk: masks, initial weights, trained weights and where they come from."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from karikomi.errors import InputError
from karikomi.networks import build
from karikomi.networks.architecture import Architecture
from karikomi.networks.subnetwork import Arrays, Subnetwork
from karikomi.runs.files import read_arrays, write_arrays


@dataclass(frozen=True)
class Ticket:
    """A subnetwork of one replicate and round, with its past.

    Attributes:
        trained: at the minimum validation loss.
        initial: the weights its training began with, removed links 0.
        final: the weights at the end of training; scores are taken there. Empty in an exported ticket.
        rewind: the weights that later rounds return to, where they are not ``initial`` (round 0 alone has them).
        provenance: study, settings and run that it comes from, replicate, round, test accuracy.
    """

    trained: Subnetwork
    initial: Arrays
    final: Arrays
    rewind: Arrays
    provenance: Mapping[str, str]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample that the network takes."""
        return _shape(self.provenance)

    def module(self) -> nn.Module:
        """The trained network as a plain PyTorch module."""
        return _loaded(self.trained.module, self.trained.weights)

    def initial_module(self) -> nn.Module:
        """The untrained ticket as a plain PyTorch module: what to train again."""
        return _loaded(self.trained.module, self.initial)

    def save(self, path: Path) -> None:
        """Write the tensors ``weights/…``, ``initial/…``, ``mask/…`` (and ``final/…``, ``rewind/…``) as safetensors."""
        groups = {
            "weights": self.trained.weights,
            "initial": self.initial,
            "mask": self.trained.masks,
            "final": self.final,
            "rewind": self.rewind,
        }
        arrays = {f"{group}/{name}": array for group, members in groups.items() for name, array in members.items()}
        write_arrays(path, arrays, self.provenance)


def load_ticket(path: str | Path, architecture: Architecture | None = None) -> Ticket:
    """Read a ticket back.

    Args:
        path: a file that ``karikomi export`` wrote, or one in a run's ``subnetworks`` folder.
        architecture: that of the module; needed only where the file does not name one that Karikomi can build.

    Raises:
        InputError: if the file is damaged, is no ticket, or does not fit the architecture.
    """
    arrays, provenance = read_arrays(Path(path))
    groups: dict[str, dict[str, np.ndarray]] = {key: {} for key in ("weights", "initial", "mask", "final", "rewind")}
    for key, array in arrays.items():
        group, _, name = key.partition("/")
        groups.setdefault(group, {})[name] = array
    if not groups["weights"] or not groups["initial"] or not groups["mask"]:
        raise InputError(f"{path} is no ticket: it lacks tensors weights/…, initial/… or mask/…")
    if architecture is None:
        if not {"network", "sample_shape", "classes"} <= provenance.keys():
            raise InputError(f"{path} does not name its network; give the module that it belongs to")
        architecture = Architecture(build(provenance["network"], _shape(provenance), int(provenance["classes"])))
    expected = {name: tuple(value.shape) for name, value in architecture.module.state_dict().items()}
    if expected != {name: array.shape for name, array in groups["weights"].items()}:
        raise InputError(f"{path} does not fit the module: its tensors have other names or shapes")
    # Files keep tensors in an order of their own; the first and the last layer are told by the module's order.
    if set(groups["mask"]) != set(architecture.link_weights):
        raise InputError(f"{path} does not fit the module: its masks are those of other layers")
    masks = {name: groups["mask"][name] for name in architecture.link_weights}
    trained = Subnetwork(architecture, groups["weights"], masks)
    return Ticket(trained, groups["initial"], groups["final"], groups["rewind"], provenance)


def _shape(provenance: Mapping[str, str]) -> tuple[int, ...]:
    return tuple(int(n) for n in provenance["sample_shape"].split(","))


def _loaded(module: nn.Module, weights: Arrays) -> nn.Module:
    copy = deepcopy(module)
    copy.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return copy
