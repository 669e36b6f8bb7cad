"""Answers that float32 cannot tell, in float64 and one network at a time."""

from collections.abc import Callable

import numpy as np

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Ablation
from karikomi.networks.layers import Linear
from karikomi.networks.subnetwork import Subnetwork

_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda sums: sums,
    "relu": lambda sums: np.maximum(sums, 0),
    "tanh": np.tanh,
}


def decide(
    subnetwork: Subnetwork, examples: Examples, chosen: np.ndarray, gone: np.ndarray, ablation: Ablation
) -> np.ndarray:
    """The answer to each of the ``chosen`` ``[calls]`` examples by a network of its own, int64 ``[calls]``.

    Args:
        gone: which units that network has lost, bool ``[calls, units]``.
    """
    if ablation.donors is not None:
        shown, _ = _pass(subnetwork, examples, ablation.donors[chosen], np.zeros_like(gone), np.zeros(gone.shape[1:]))
    else:
        shown = np.zeros(gone.shape[1:]) if ablation.means is None else ablation.means
    _, outputs = _pass(subnetwork, examples, chosen, gone, shown)
    return outputs.argmax(axis=1)


def _pass(
    subnetwork: Subnetwork, examples: Examples, chosen: np.ndarray, gone: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hidden activations ``[calls, units]`` and outputs ``[calls, classes]``; units that are gone show ``shown``."""
    x = examples.x[chosen].reshape(len(chosen), -1).astype(np.float32) * np.float32(examples.scale)
    signal, hidden, first = x.astype(np.float64), [], 0
    linear = subnetwork.architecture.perceptron
    assert linear, "checked before"
    *layers, last = linear
    for layer in layers:
        signal = _layer(subnetwork, layer, signal)
        own = slice(first, first := first + signal.shape[1])
        signal = np.where(gone[:, own], shown[..., own], signal)
        hidden.append(signal)
    return np.concatenate(hidden, axis=1), _layer(subnetwork, last, signal)


def _layer(subnetwork: Subnetwork, layer: Linear, signal: np.ndarray) -> np.ndarray:
    weight = np.where(subnetwork.masks[layer.weight], subnetwork.weights[layer.weight], 0).astype(np.float64)
    bias = 0 if layer.bias is None else subnetwork.weights[layer.bias]
    return _ACTIVATIONS[layer.activation](signal @ weight.T + bias)
