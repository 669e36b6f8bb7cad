"""From a chain of linear and convolutional layers to the weights between their units."""

import numpy as np
from torch import nn

from karikomi.networks.chain import CONVOLUTIONS, follow
from karikomi.networks.subnetwork import Arrays

Gaps = tuple[tuple[str, ...], tuple[np.ndarray, ...], tuple[np.ndarray, ...]]


def gaps(module: nn.Module, weights: Arrays | None = None, masks: Arrays | None = None) -> Gaps:
    """Names of the layers, then per gap the weights and the masks ``[out, in]``.

    Args:
        module: a chain of layers.
        weights: by the module's own names; else those that it holds.
        masks: by the same names; else a weight that is not 0 is a link.
    """
    names, matrices, left = ["inputs"], [], []
    for stage in follow(module).stages:
        key = f"{stage.name}.weight".lstrip(".")
        weight = stage.layer.weight.detach().cpu().numpy() if weights is None else weights[key]
        mask = weight != 0 if masks is None else masks[key]
        weight = np.asarray(weight, np.float64)
        if isinstance(stage.layer, CONVOLUTIONS):
            weight, mask = _between_channels(weight, mask, stage.layer.groups)
        elif stage.places > 1:
            weight, mask = _by_channel(weight, mask, stage.places)
        names.append(stage.name or "outputs")
        matrices.append(weight)
        left.append(mask)
    return tuple(names), tuple(matrices), tuple(left)


def _between_channels(kernels: np.ndarray, mask: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernels ``[out, in / groups, …]`` to L1 norms ``[out, in]``."""
    field = tuple(range(2, kernels.ndim))
    norms, linked = np.abs(kernels).sum(axis=field), np.asarray(mask.any(axis=field))
    outs, ins = norms.shape
    weight, link = np.zeros((outs, ins * groups)), np.zeros((outs, ins * groups), bool)
    for group in range(groups):
        rows, columns = (slice(group * n, (group + 1) * n) for n in (outs // groups, ins))
        weight[rows, columns], link[rows, columns] = norms[rows], linked[rows]
    return weight, link


def _by_channel(weight: np.ndarray, mask: np.ndarray, places: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of flattened channels ``[out, channels · places]`` to L1 norms ``[out, channels]``."""
    by_channel = (len(weight), -1, places)
    return np.abs(weight).reshape(by_channel).sum(axis=2), np.asarray(mask.reshape(by_channel).any(axis=2))
