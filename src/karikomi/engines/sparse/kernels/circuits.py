"""A subnetwork, its units and examples as the kernels for lesions want them."""

from typing import NamedTuple

import numpy as np

from karikomi.engines.sparse.kernels.activations import ACTIVATIONS
from karikomi.engines.sparse.kernels.layout import Network, aligned
from karikomi.engines.sparse.kernels.lesions import Orders
from karikomi.engines.sparse.kernels.packs import GROUPS, LEVEL, Circuit, State
from karikomi.engines.sparse.kernels.rows import PACK, ROWS
from karikomi.networks.subnetwork import Subnetwork


class Packs(NamedTuple):
    """Examples by class, sixteen to a pack; the last pack of a class repeats some.

    ``examples`` is ``[packs, 16]``; of them ``sizes[k]`` count in pack k, all of the class ``labels[k]``.
    """

    examples: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray


def make_packs(labels: np.ndarray) -> Packs:
    counts = np.bincount(labels)
    packs = -(-counts // PACK)
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    examples = [np.resize(some, (many, PACK)) for some, many in zip(by_class, packs, strict=True) if many]
    sizes = np.full(packs.sum(), PACK)
    sizes[(np.cumsum(packs) - 1)[counts > 0]] -= (packs * PACK - counts)[counts > 0]
    return Packs(np.concatenate(examples), np.repeat(np.arange(len(counts)), packs), sizes)


def make_circuit(subnetwork: Subnetwork) -> Circuit:
    linear = subnetwork.architecture.perceptron
    assert linear, "checked before"
    weights = [np.where(subnetwork.masks[layer.weight], subnetwork.weights[layer.weight], 0) for layer in linear]
    levels = np.zeros(len(linear), LEVEL)
    levels["units"] = [len(weight) for weight in weights]
    levels["activation"] = [ACTIVATIONS[layer.activation] for layer in linear]
    rows = -(-levels["units"] // ROWS) * ROWS
    levels["row"] = np.cumsum(rows) - rows
    levels["stride"][:-1] = rows[1:]
    sizes = levels["units"] * levels["stride"]
    levels["links"] = np.cumsum(sizes) - sizes
    flat, biases = aligned(sizes.sum()), np.zeros((rows.sum(), PACK), np.float32)
    peaks = np.zeros((rows.sum(), GROUPS), np.float32)
    for level, following, weight in zip(levels, levels[1:], weights[1:], strict=False):
        links = flat[level["links"] :][: weight.shape[1] * level["stride"]].reshape(-1, level["stride"])
        links[:, : len(weight)] = weight.T
        peaks[following["row"] :][: len(weight)] = _largest_by_group(np.abs(weight))
    for level, layer in zip(levels, linear, strict=True):
        if layer.bias:
            biases[level["row"] :][: level["units"]] = subnetwork.weights[layer.bias][:, None]
    level_of, sizes = np.repeat(np.arange(len(linear)), rows), [aligned_copy(np.abs(each)) for each in (flat, biases)]
    return Circuit(levels, level_of, flat, aligned_copy(biases), sizes[0], sizes[1], peaks.ravel())


def _largest_by_group(sizes: np.ndarray) -> np.ndarray:
    """Of each row the largest of GROUPS groups of equal width; the last ones may be narrower, or empty."""
    width = -(-sizes.shape[1] // GROUPS)
    whole = np.pad(sizes, ((0, 0), (0, GROUPS * width - sizes.shape[1])))
    return whole.reshape(len(sizes), GROUPS, width).max(axis=2)


def make_state(circuit: Circuit) -> State:
    """A state in which no unit is removed."""
    size, rows = circuit.biases.size, len(circuit.level_of)
    return State(
        sums=aligned(size),
        fixed=aligned_copy(circuit.biases),
        outputs=aligned(size),
        kept=circuit.levels["units"].copy(),
        sequence=units_in_sequence(circuit),
        some=np.zeros(rows, np.int64),
        verdict=np.zeros(3),
        close=aligned(PACK),
        margin=aligned(PACK),
    )


def rows_of_units(circuit: Circuit) -> np.ndarray:
    """The row of every hidden unit, int64 ``[units]``."""
    return np.concatenate([level["row"] + np.arange(level["units"]) for level in circuit.levels[:-1]])


def units_in_sequence(circuit: Circuit) -> np.ndarray:
    """For every row its unit's number within the level."""
    return np.arange(len(circuit.level_of)) - circuit.levels["row"][circuit.level_of]


def make_orders(circuit: Circuit, orders: np.ndarray) -> Orders:
    """``orders`` of units ``[orders, steps]`` in rows."""
    rows, (many, steps) = rows_of_units(circuit)[orders], orders.shape
    # How long before the end a unit goes; 0 for one that never does.
    left = np.zeros((many, len(circuit.level_of)), np.int64)
    np.put_along_axis(left, rows, np.arange(steps, 0, -1)[None], axis=1)
    sequences = np.tile(units_in_sequence(circuit), (many, 1))
    lasting = np.zeros((many, len(circuit.levels) - 1), np.int64)
    for number, level in enumerate(circuit.levels[:-1]):
        own = slice(level["row"], level["row"] + level["units"])
        sequences[:, own] = np.argsort(left[:, own], axis=1, kind="stable")
        lasting[:, number] = (left[:, own] == 0).sum(axis=1)
    return Orders(rows, sequences, lasting)


def with_own_scratch(network: Network) -> Network:
    """``network`` for one more thread."""
    listed = network.listed
    own = ("lanes", "values", "starts", "lane_inputs", "lane_values", "ends", "turned")
    return network._replace(
        units=aligned(network.units.size),
        example_starts=network.example_starts.copy(),
        listed=listed._replace(**{name: getattr(listed, name).copy() for name in own}),
    )


def aligned_copy(values: np.ndarray) -> np.ndarray:
    copy = aligned(values.size)
    copy[:] = values.ravel()
    return copy
