"""What is measured of a network in every cycle, on the test set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from karikomi import seeds
from karikomi.data.dataset import Examples
from karikomi.networks.health import health, weight_norms
from karikomi.networks.subnetwork import Subnetwork
from karikomi.studies.setup import Setup

SEEN = 2_000
"""Test examples, at most, on which representations are compared: some times the units of a layer."""


def measure(
    setup: Setup[Any], healthy: Mapping[int, Subnetwork], networks: Sequence[tuple[int, Subnetwork]]
) -> list[dict[str, Any]]:
    """Columns of the table for each network, given with its replicate.

    accuracy (0 … 1), loss (nats), dormant (units of all layers), cka (mean over hidden layers), norm (√Σ w²);
    class_accuracy, a number per class; and layers, by name living, dormant and cka of the hidden ones, and norm.
    """
    examples, engine = _seen(setup), setup.engine
    then = {replicate: engine.activations(network, examples).activation for replicate, network in healthy.items()}
    outcomes = engine.evaluate([network for _, network in networks], setup.data.test)
    rows = []
    for (replicate, network), outcome in zip(networks, outcomes, strict=True):
        layers = health(network, engine.activations(network, examples).activation, then[replicate])
        norms = weight_norms(network)
        rows.append(
            {
                "accuracy": outcome.accuracy,
                "loss": outcome.loss,
                "dormant": sum(layer.dormant for layer in layers.values()),
                "cka": float(np.mean([layer.cka for layer in layers.values()])),
                "norm": float(np.linalg.norm(list(norms.values()))),
                "class_accuracy": outcome.class_accuracy.tolist(),
                "layers": {
                    name: {**(layers[name]._asdict() if name in layers else {}), "norm": norms.get(name, np.nan)}
                    for name in dict.fromkeys((*norms, *layers))
                },
            }
        )
    return rows


def _seen(setup: Setup[Any]) -> Examples:
    test = setup.data.test
    return test.take(seeds.stream(setup.settings.seed, "probe").permutation(len(test))[:SEEN])
