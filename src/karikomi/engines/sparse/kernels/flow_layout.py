"""A subnetwork whose forward is a program, as the flat arrays that kernels play."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from karikomi.engines.sparse.kernels.activations import ACTIVATIONS, IDENTITY
from karikomi.engines.sparse.kernels.flow import KINDS, OPERATION, Flow
from karikomi.engines.sparse.kernels.fused import DENSE_COLUMNS
from karikomi.engines.sparse.kernels.layout import LAYER, POOLED, Network, aligned, pieces_of, room_for_lists
from karikomi.engines.sparse.kernels.placement import (
    Place,
    Pools,
    is_dense,
    padded,
    place_dense,
    place_sparse,
    place_way_back,
)
from karikomi.engines.sparse.kernels.planes import PLANES, extent
from karikomi.engines.sparse.kernels.vector import LANES
from karikomi.networks.program import Part, Program
from karikomi.networks.subnetwork import Subnetwork

_NUMBERS = dict(zip(("convolution", "linear", "maximum", "average", "normalization", "sum"), KINDS, strict=True))


def lay_out_flow(subnetwork: Subnetwork, batch: int, *, backward: bool = True) -> tuple[Flow, dict[str, Place]]:
    """As :func:`~karikomi.engines.sparse.kernels.layout.lay_out`; nothing is left out but removed links."""
    program = subnetwork.architecture.program
    parts = _bent_late(program)
    signals, block = _place_signals(program, parts, backward)
    operations, pools, places = np.zeros(len(parts), OPERATION), Pools(), dict[str, Place]()
    linear, held, moments = list[np.ndarray](), list[np.ndarray](), 0
    for part, operation in zip(parts, operations, strict=True):
        _describe(part, operation)
        shape = program.signals[part.y].shape
        if part.kind == "linear":
            operation["number"] = len(linear)
            linear.append(_place_linear(subnetwork, part, signals, operation["back_x"], pools, places))
        elif part.kind == "convolution":
            _place_convolution(subnetwork, part, operation, pools, places)
        elif part.kind == "normalization":
            operation["moments"], moments = moments, moments + 2 * shape.channels
            for name, what in ((part.weight, "weight"), (part.mean, "mean"), (part.variance, "variance")):
                operation[what] = _place_row(name, shape.channels, pools, places)
            pools.longest = max(pools.longest, 2 * padded(shape.channels, 16))
        if part.kind != "linear":
            operation["bias"] = _place_row(part.bias, shape.channels, pools, places)
    _mark_ways_back(program, parts, operations)
    parameters = aligned(pools.parameters)
    for name, place in places.items():
        parameters[place.positions] = subnetwork.weights[name].ravel()[place.elements]
        mask = subnetwork.masks.get(name)
        if mask is not None and name not in subnetwork.architecture.link_weights:
            held.append(place.positions[~mask.ravel()[place.elements]])
    blocks = -(-batch // LANES)
    real = (np.arange(blocks * LANES) < batch).astype(np.float32)
    network = _network(program, linear, signals, block, blocks, parameters, pools, backward)
    return Flow(
        network, operations, signals, aligned(moments), real, np.concatenate([np.empty(0, np.int64), *held])
    ), places


def _bent_late(program: Program) -> list[Part]:
    """ReLU behind the largest of what it is asked for is the same, and less work."""
    parts = list(program.parts)
    readers = {
        number: [p for p in parts if number in [program.signals[x].same for x in p.x]]
        for number in range(len(program.signals))
    }
    for place, part in enumerate(parts):
        after = readers[program.signals[part.y].same]
        if part.activation == "relu" and [p.kind for p in after] == ["maximum"] and part.y != program.output:
            number = parts.index(after[0])
            if parts[number].activation == "identity":
                parts[place], parts[number] = replace(part, activation="identity"), replace(after[0], activation="relu")
    return parts


def _place_signals(program: Program, parts: Sequence[Part], backward: bool) -> tuple[np.ndarray, int]:
    """Where each signal is, and the elements of a block."""
    signals = np.zeros(len(program.signals), PLANES)
    for record, signal in zip(signals, program.signals, strict=True):
        record["channels"], record["height"], record["width"] = signal.shape
    for part in parts:
        if part.kind == "convolution":
            signals[part.x[0]]["halo"] = max(signals[part.x[0]]["halo"], *part.padding)
    sames = np.array([signal.same for signal in program.signals])
    start = 0
    for number in np.unique(sames):
        group = sames == number
        signals["halo"][group] = signals["halo"][group].max()
        signals["start"][group] = start
        largest = max(extent(record) for record in signals[group])
        start += (padded(largest // LANES) + 1) * LANES
    return signals, start


def _describe(part: Part, operation: Any) -> None:
    operation["kind"], operation["activation"] = _NUMBERS[part.kind], ACTIVATIONS[part.activation]
    operation["x"], operation["z"], operation["y"] = part.x[0], part.x[-1], part.y
    for what in ("kernel", "stride", "padding"):
        operation[f"{what}_height"], operation[f"{what}_width"] = getattr(part, what)
    operation["momentum"], operation["epsilon"], operation["groups"] = part.momentum, part.epsilon, part.groups
    for what in ("weight", "bias", "mean", "variance", "keep", "number"):
        operation[what] = -1


def _mark_ways_back(program: Program, parts: Sequence[Part], operations: np.ndarray) -> None:
    """Derivatives are asked for by what depends on parameters; the last reader is the first to give them."""
    learning, there = set[int](), set[int]()
    for part, operation in zip(parts, operations, strict=True):
        for what, number in zip(("x", "z"), part.x, strict=False):
            operation[f"back_{what}"] = program.signals[number].same in learning
        if part.weight or part.bias or any(program.signals[number].same in learning for number in part.x):
            learning.add(program.signals[part.y].same)
    for part, operation in zip(reversed(parts), operations[::-1], strict=True):
        for what, number in zip(("x", "z"), part.x, strict=False):
            same = program.signals[number].same
            operation[f"fresh_{what}"] = same not in there
            there.add(same)


def _place_row(name: str | None, size: int, pools: Pools, places: dict[str, Place]) -> int:
    if not name:
        return -1
    start = pools.reserve(size)
    places[name] = Place(start + np.arange(size), np.arange(size))
    return start


def _place_convolution(
    subnetwork: Subnetwork, part: Part, operation: Any, pools: Pools, places: dict[str, Place]
) -> None:
    assert part.weight
    mask = subnetwork.masks[part.weight].ravel()
    operation["weight"] = pools.reserve(mask.size)
    elements = np.flatnonzero(mask)
    places[part.weight] = Place(operation["weight"] + elements, elements)
    operation["keep"] = pools.add("keep", mask.astype(np.float32))
    pools.longest = max(pools.longest, padded(mask.size, 16) + padded(mask.size, 16))


def _place_linear(
    subnetwork: Subnetwork, part: Part, signals: np.ndarray, back: bool, pools: Pools, places: dict[str, Place]
) -> np.ndarray:
    assert part.weight
    layer, mask = np.zeros((), LAYER), subnetwork.masks[part.weight]
    layer["activation"], layer["bias"], layer["keep"] = ACTIVATIONS[part.activation], -1, -1
    layer["outputs"], layer["inputs"] = mask.shape
    layer["x"], layer["y"] = signals[part.x[0]]["start"], signals[part.y]["start"]
    row, column = map(np.ascontiguousarray, np.nonzero(mask))  # as kernels read them
    if is_dense(mask):
        positions = place_dense(layer, mask, row, column, pools)
    else:
        positions = place_sparse(layer, row, column, pools)
        place_way_back(layer, row, column, positions, pools)
    places[part.weight] = Place(positions, np.flatnonzero(mask))
    layer["bias"] = _place_row(part.bias, len(mask), pools, places)
    pools.longest = max(pools.longest, padded(len(mask)))
    return layer


def _network(
    program: Program,
    linear: Sequence[np.ndarray],
    signals: np.ndarray,
    block: int,
    blocks: int,
    parameters: np.ndarray,
    pools: Pools,
    backward: bool,
) -> Network:
    layers = np.zeros(len(linear) + 1, LAYER)
    for number, layer in enumerate(linear):
        layers[number] = layer
    last, result = layers[-1], signals[program.output]
    last["outputs"], last["activation"], last["y"], last["bias"], last["keep"] = (
        result["channels"],
        IDENTITY,
        result["start"],
        -1,
        -1,
    )
    widest, rows = int(layers["stride"].max()), padded(int(max(layers["inputs"].max(), layers["outputs"].max())))
    slots = _slots(next(signals[part.x[0]] for part in program.parts if program.signals[part.x[0]].same == 0))
    numbers = np.arange(max(rows, LANES), dtype=np.int32)
    return Network(
        layers,
        parameters,
        *(pools.array(name) for name in POOLED),
        block=block,
        units=aligned(blocks * block),
        deltas=aligned(blocks * block if backward else 0),
        scratch=aligned(3 * LANES),
        transposed=aligned(blocks * LANES * widest if backward else 0),
        unit_starts=numbers * LANES,
        lane_starts=numbers[:LANES] * np.int32(DENSE_COLUMNS),
        longest=int(max(pools.longest, rows)),
        pieces=pieces_of(slots, -1),
        slots=slots,
        example_starts=np.zeros(LANES, np.int64),
        listed=room_for_lists(0, 0, 0, -1, -1, blocks),
    )


def _slots(signal: np.ndarray) -> np.ndarray:
    """Where in a block each number of an example goes, int32."""
    channel, y, x = np.indices([signal["channels"], signal["height"], signal["width"]])
    height, width = signal["height"] + 2 * signal["halo"], signal["width"] + 2 * signal["halo"]
    rows = (channel * height + y + signal["halo"]) * width + x + signal["halo"]
    return (signal["start"] + rows.ravel() * LANES).astype(np.int32)
