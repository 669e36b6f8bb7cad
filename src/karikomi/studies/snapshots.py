"""What a run keeps of replicate 0's networks for the viewer of its page: links, costs of units, accuracy by class."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from karikomi.errors import InputError
from karikomi.graphs.layered import LayeredGraph
from karikomi.runs.files import read_arrays, write_arrays
from karikomi.runs.folder import RunFolder
from karikomi.runs.progress import Advance

if TYPE_CHECKING:
    from karikomi.networks.subnetwork import Subnetwork
    from karikomi.studies.setup import Setup

REPLICATE = 0
"""Whose networks are kept."""

LARGEST = 1_000_000
"""Links of a network, at most, that are kept."""

COSTS = ("loss_rise", "class_drop")


@dataclass(frozen=True)
class Snapshot:
    """A network at one time.

    Attributes:
        graph: its layers and links, those between hidden units in the order in which these are numbered; None where
            they are too many, or there are no fixed weights between units.
        class_accuracy: test accuracy by class, 0 … 1, ``[classes]``.
        loss_rise: what the loss of each hidden unit alone costs on the test set, nats, ``[units]``; of perceptrons.
        class_drop: the same by class, in accuracy, ``[units, classes]``.
    """

    graph: LayeredGraph | None
    class_accuracy: np.ndarray
    loss_rise: np.ndarray | None = None
    class_drop: np.ndarray | None = None


def snapshot(setup: Setup[Any], network: Subnetwork) -> Snapshot:
    """What is kept of a network. Units are removed alone in perceptrons only: the sparse engine takes a moment."""
    test, graph = setup.data.test, _graph(network)
    if setup.architecture.perceptron is None:
        return Snapshot(graph, setup.engine.evaluate([network], test)[0].class_accuracy)
    from karikomi.engines import sparse  # loads the compiler, which reading does not need

    alone = sparse.knock_out(network, test)
    accuracy = alone.class_accuracy
    return Snapshot(graph, accuracy[0], alone.loss[1:] - alone.loss[0], accuracy[0] - accuracy[1:])


def look(setup: Setup[Any], advance: Advance, task: object, network: Subnetwork) -> Snapshot:
    """As a stage computes it."""
    advance(1)
    return snapshot(setup, network)


def snapshots_file(folder: RunFolder, *which: object) -> Path:
    """Where snapshots are."""
    return folder.pieces / f"snapshots-{'-'.join(map(str, which))}.safetensors"


def write_snapshots(path: Path, setup: Setup[Any], snapshots: Mapping[int, Snapshot]) -> None:
    """Write snapshots by their time (round, cycle, iteration): masks as bits, weights that are there as float16."""
    arrays: dict[str, np.ndarray] = {}
    for at, seen in snapshots.items():
        kept = {"class_accuracy": seen.class_accuracy, **{name: getattr(seen, name) for name in COSTS}}
        arrays |= {f"{at}/{name}": array.astype(np.float32) for name, array in kept.items() if array is not None}
        for block in range(len(seen.graph.pairs) if seen.graph else 0):
            assert seen.graph is not None
            mask, weights = seen.graph.masks[block], seen.graph.weights[block]
            arrays[f"{at}/mask/{block}"] = np.packbits(mask)
            arrays[f"{at}/weights/{block}"] = np.clip(weights[mask], -65504, 65504).astype(np.float16)
    graph = next((seen.graph for seen in snapshots.values() if seen.graph), None)
    about = {"layers": graph.layers, "sizes": graph.sizes, "pairs": graph.pairs} if graph else {}
    shape = setup.data.sample_shape
    pixels = {"pixels": shape} if graph and len(shape) == 2 and np.prod(shape) == graph.sizes[0] else {}
    write_arrays(path, arrays, {"about": json.dumps(about | pixels)})


def read_snapshots(path: Path) -> tuple[dict[int, Snapshot], tuple[int, int] | None]:
    """The snapshots by time, in order, and the rows and columns of the inputs if they are pixels."""
    arrays, metadata = read_arrays(path)
    about = json.loads(metadata["about"])
    found = {at: _read(arrays, at, about) for at in sorted({int(name.split("/")[0]) for name in arrays})}
    return found, tuple(about["pixels"]) if "pixels" in about else None


def _read(arrays: Mapping[str, np.ndarray], at: int, about: Mapping[str, Any]) -> Snapshot:
    graph = None
    if f"{at}/mask/0" in arrays:
        masks, weights = [], []
        for block, (first, last) in enumerate(about["pairs"]):
            shape = about["sizes"][last], about["sizes"][first]
            mask = np.unpackbits(arrays[f"{at}/mask/{block}"], count=shape[0] * shape[1]).reshape(shape).astype(bool)
            weight = np.zeros(shape)
            weight[mask] = arrays[f"{at}/weights/{block}"]
            masks.append(mask)
            weights.append(weight)
        pairs = tuple((first, last) for first, last in about["pairs"])
        graph = LayeredGraph(tuple(about["layers"]), tuple(weights), tuple(masks), pairs)
    return Snapshot(graph, arrays[f"{at}/class_accuracy"], *(arrays.get(f"{at}/{name}") for name in COSTS))


def _graph(network: Subnetwork) -> LayeredGraph | None:
    try:
        graph, units = LayeredGraph.from_subnetwork(network), network.architecture.hidden_units
    except InputError:  # not all of its layers can be told as a graph
        return None
    sizes = dict(zip(graph.layers, graph.sizes, strict=True))
    same = [(name, sizes[name]) for name in graph.hidden] == list(units.items())
    return graph if same and sum(mask.size for mask in graph.masks) <= LARGEST else None
