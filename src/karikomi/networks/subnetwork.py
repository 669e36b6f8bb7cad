"""A subnetwork: an architecture with weights and masks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from torch import nn

Arrays = Mapping[str, np.ndarray]


def link_weights(module: nn.Module) -> tuple[str, ...]:
    """Names of the weights that hold links, in the module's own order; the last one belongs to the output layer.

    Links are the weights of linear and convolutional layers; biases and normalization are not links.
    """
    layers = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return tuple(f"{name}.weight".lstrip(".") for name, part in module.named_modules() if isinstance(part, layers))


@dataclass(frozen=True)
class Subnetwork:
    """An architecture with weights and a mask.

    Attributes:
        module: the architecture; the values of its own parameters are not used.
        weights: every parameter and buffer by the module's own name; removed links are exactly 0.
        masks: for every name in ``link_weights(module)`` a bool array of that weight's shape: which links are left.
    """

    module: nn.Module
    weights: Arrays
    masks: Arrays

    @classmethod
    def full(cls, module: nn.Module, weights: Arrays) -> Self:
        """The whole network: every link is left."""
        return cls(module, weights, {name: np.ones(weights[name].shape, bool) for name in link_weights(module)})

    @classmethod
    def from_module(cls, module: nn.Module) -> Self:
        """A module with the weights it has; a link whose weight is exactly 0 counts as removed."""
        weights = {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}
        return cls(module, weights, {name: weights[name] != 0 for name in link_weights(module)})

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
        return sum(int(mask.sum()) for mask in self.masks.values())

    @property
    def density(self) -> float:
        """Links left over those that there could be."""
        return self.links / sum(mask.size for mask in self.masks.values())
