"""A subnetwork: an architecture with weights and masks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from torch import nn

from karikomi.networks.architecture import Architecture

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Subnetwork:
    """An architecture with weights and a mask.

    Attributes:
        architecture: its layers, and the module that it is; the values of that module's own parameters are not used.
        weights: every parameter and buffer by the module's own name; removed links are exactly 0.
        masks: which links are left: for every name in ``architecture.link_weights`` a bool array of its shape; outside
            chains of layers also what must stay 0 of the biases and normalization of removed units.
    """

    architecture: Architecture
    weights: Arrays
    masks: Arrays

    @classmethod
    def full(cls, architecture: Architecture, weights: Arrays) -> Self:
        """The whole network: every link is left."""
        masks = {name: np.ones(weights[name].shape, bool) for name in architecture.link_weights}
        return cls(architecture, weights, masks)

    @classmethod
    def from_module(cls, module: nn.Module, architecture: Architecture | None = None) -> Self:
        """A module with the weights it has; a link whose weight is exactly 0 counts as removed.

        Args:
            module: the network.
            architecture: that of the module, if it is known, or of another module that is built alike.
        """
        architecture = architecture or Architecture(module)
        weights = {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}
        return cls(architecture, weights, {name: weights[name] != 0 for name in architecture.link_weights})

    @property
    def module(self) -> nn.Module:
        """The module whose weights these can be."""
        return self.architecture.module

    def masked(self, masks: Arrays) -> Self:
        """The same weights under other masks; what they remove becomes exactly 0."""
        weights = {
            name: np.where(masks[name], w, np.zeros((), w.dtype)) if name in masks else w
            for name, w in self.weights.items()
        }
        return replace(self, weights=weights, masks=masks)

    @property
    def links(self) -> int:
        """How many links are left."""
        return sum(int(self.masks[name].sum()) for name in self.architecture.link_weights)

    @property
    def density(self) -> float:
        """Links left over those that there could be."""
        return self.links / sum(self.masks[name].size for name in self.architecture.link_weights)
