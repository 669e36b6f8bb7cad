"""A subnetwork whose forward is a program, as the flat arrays that kernels play."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from karikomi.engines.sparse.kernels.activations import ACTIVATIONS, IDENTITY, RELU
from karikomi.engines.sparse.kernels.bends import BENDS
from karikomi.engines.sparse.kernels.convolution_layout import collected, place_convolution
from karikomi.engines.sparse.kernels.flow import KINDS, NORMALIZATION, OPERATION, STATISTICS, Flow
from karikomi.engines.sparse.kernels.fused import DENSE_COLUMNS
from karikomi.engines.sparse.kernels.layout import LAYER, POOLED, Network, aligned, pieces_of, room_for_lists
from karikomi.engines.sparse.kernels.passing import Passing
from karikomi.engines.sparse.kernels.placement import (
    Place,
    Pools,
    is_dense,
    padded,
    place_dense,
    place_sparse,
)
from karikomi.engines.sparse.kernels.planes import ROW
from karikomi.engines.sparse.kernels.play import PIECE
from karikomi.engines.sparse.kernels.vector import LANES
from karikomi.engines.sparse.lowering import Lowered, lowered
from karikomi.engines.sparse.signal_layout import passing_signals, place_signals, place_slopes, shape_of
from karikomi.networks.program import Part
from karikomi.networks.subnetwork import Subnetwork


def lay_out_flow(subnetwork: Subnetwork, batch: int, *, backward: bool = True) -> tuple[Flow, dict[str, Place]]:
    """As :func:`~karikomi.engines.sparse.kernels.layout.lay_out`; nothing is left out but removed links."""
    low = lowered(subnetwork.architecture.program, near=backward)
    segments, blocks = _segments(low.kinds), -(-batch // ROW)
    passing, passing_back = passing_signals(low, segments) if backward else (frozenset(), frozenset())
    signals, block, row_block, room = place_signals(low, passing)
    is_passing = np.isin([signal.same for signal in low.signals], [*passing])
    signals["start"][is_passing] += blocks * block
    operations, pools, places = operations_of(low), Pools(), dict[str, Place]()
    operations["passing"] = (operations["kind"] == NORMALIZATION) & is_passing[operations["y"]]
    convolutions, read, linear = list[Any](), list[int](), list[Any]()
    steps = [*zip(low.kinds, low.parts, operations, strict=True)]
    moments = 0
    for kind, part, operation in steps:  # what is learned by planes comes first
        if kind == "convolution":
            operation["number"] = len(convolutions)
            read.append(part.x[0])
            convolutions.append(_place_convolution(subnetwork, part, operation, signals, pools, places))
        elif kind == "statistics":
            channels = low.signals[part.y].shape.channels
            operation["weight"], operation["bias"] = (
                _place_row(name, channels, pools, places) for name in (part.weight, part.bias)
            )
            operation["moments"], moments = moments, moments + 4 * channels
        elif kind == "layer_norm":
            size = math.prod(low.signals[part.y].shape)
            operation["weight"], operation["bias"] = (
                _place_row(name, size, pools, places) for name in (part.weight, part.bias)
            )
    learned = pools.parameters
    for number, (kind, part, operation) in enumerate(steps):
        channels = low.signals[part.y].shape.channels
        if kind == "linear":
            operation["number"] = len(linear)
            linear.append(_place_linear(subnetwork, part, signals, pools, places))
        elif kind == "statistics":
            operation["mean"], operation["variance"] = (
                _place_row(name, channels, pools, places) for name in (part.mean, part.variance)
            )
        elif kind == "normalization":
            for field in ("weight", "bias", "mean", "variance", "moments"):
                operation[field] = operations[number - 1][field]
    pools.longest = max(pools.longest, PIECE)
    parameters = aligned(pools.parameters)
    for name, place in places.items():
        parameters[place.positions] = subnetwork.weights[name].ravel()[place.elements]
    slots = slots_of(signals[0])
    slopes, slope_block, slope_room = place_slopes(low, operations, signals, passing_back)
    is_passing_back = np.isin([signal.same for signal in low.signals], [*passing_back])
    slopes["start"][is_passing_back] += blocks * slope_block
    deltas = aligned(blocks * (slope_block + slope_room) if backward else 0)
    reading = [layer for layer, x in zip(convolutions, read, strict=True) if is_passing[x]]
    flow = Flow(
        network_of_rows(linear, signals[low.output], row_block, -(-batch // LANES), parameters, pools, backward),
        collected(convolutions, pools),
        operations,
        signals,
        slopes,
        segments,
        block=block,
        units=aligned(blocks * (block + room)),
        slope_block=slope_block,
        deltas=deltas,
        address=deltas.ctypes.data,
        learned=learned,
        gradient_block=padded(learned + 16, 16),
        gradient=aligned(blocks * padded(learned + 16, 16)),
        moments=np.zeros(moments),
        block_moments=np.zeros(blocks * moments),
        real=(np.arange(blocks * ROW) < batch).astype(np.float32),
        held=_held(subnetwork, places),
        drawn=np.zeros(2, np.int64),
        pieces=pieces_of(slots, -1),
        slots=slots,
        passing=Passing(
            *(np.flatnonzero(passes) for passes in (is_passing, is_passing_back)),
            reads=np.array([layer["passes"] for layer in reading], np.int64),
            writes=np.array([one for layer in reading for one in _ways_back(layer)], np.int64),
            units=room,
            deltas=slope_room,
            moved=np.zeros(2, np.int64),
        ),
    )
    return flow, places


def operations_of(low: Lowered) -> np.ndarray:
    operations = np.zeros(len(low.parts), OPERATION)
    for kind, part, operation in zip(low.kinds, low.parts, operations, strict=True):
        operation["kind"], operation["activation"] = KINDS.index(kind), ACTIVATIONS[part.activation]
        operation["x"], operation["z"], operation["y"] = part.x[0], part.x[-1], part.y
        operation["bent"], operation["slopes"] = operation["activation"], part.y
        for what in ("kernel", "stride", "padding"):
            operation[f"{what}_height"], operation[f"{what}_width"] = getattr(part, what)
        operation["momentum"], operation["epsilon"] = part.momentum, part.epsilon
        for what in ("weight", "bias", "mean", "variance", "number"):
            operation[what] = -1
        if kind == "bend":
            operation["number"], operation["epsilon"] = BENDS.index(part.bend), part.negative
        elif kind == "dropout":
            operation["epsilon"] = part.probability
    _mark_ways_back(low, operations)
    return operations


def _mark_ways_back(low: Lowered, operations: np.ndarray) -> None:
    """Derivatives are asked for by what depends on parameters; the last reader is the first to give them.

    The first reader is the last one, so it can see to the slope of ReLU as well if it is a convolution.
    """
    sames = [signal.same for signal in low.signals]
    learning, read, there, makers = set[int](), set[int](), {sames[low.output]}, dict[int, Any]()
    steps = []
    for kind, part, operation in zip(low.kinds, low.parts, operations, strict=True):
        reads = list(zip(("x", "z"), map(sames.__getitem__, part.x), strict=False))
        steps.append((kind, part, operation, reads[1:] if kind == "normalization" else reads))
    for kind, part, operation, reads in steps:
        for what, same in reads:
            operation[f"back_{what}"] = same in learning
            first, maker = same not in read, makers.get(same)
            read.add(same)
            if kind == "convolution" and first and maker is not None and maker["activation"] == RELU:
                operation["gated"], maker["bent"] = True, IDENTITY
        if part.weight or part.bias or any(sames[number] in learning for number in part.x):
            learning.add(sames[part.y])
        if kind != "statistics":
            makers[sames[part.y]] = operation
    for _, _, operation, reads in reversed(steps):
        for what, same in reads:
            operation[f"fresh_{what}"] = same not in there
            there.add(same)
    counts = Counter(same for *_, reads in steps for _, same in reads)
    for number, kind in enumerate(low.kinds):
        # The derivatives by both terms of a sum are those by the sum.
        operation, maker = operations[number], makers.get(int(operations[number]["z"]))
        if kind == "normalization" and operation["z"] != operation["x"] and maker is not None:
            plain = maker["kind"] == NORMALIZATION and maker["bent"] == IDENTITY and counts[int(operation["z"])] == 1
            if plain:
                operation["back_z"] = False
                made = np.isin(operations["kind"], (STATISTICS, NORMALIZATION)) & (operations["y"] == operation["z"])
                operations["slopes"][made] = operation["y"]


def _segments(kinds: Sequence[str]) -> np.ndarray:
    """Ranges of operations that a block passes before the next one does, and whether they are linear layers."""
    starts = [
        number
        for number, kind in enumerate(kinds)
        if number == 0 or kind == "normalization" or (kind == "linear") != (kinds[number - 1] == "linear")
    ]
    ends = [*starts[1:], len(kinds)]
    rows = [(start, end, kinds[start] == "linear") for start, end in zip(starts, ends, strict=True)]
    return np.array(rows, np.int64)


def _place_row(name: str | None, size: int, pools: Pools, places: dict[str, Place]) -> int:
    if not name:
        return -1
    start = pools.reserve(size)
    places[name] = Place(start + np.arange(size), np.arange(size))
    return start


def _place_convolution(
    subnetwork: Subnetwork, part: Part, operation: Any, signals: np.ndarray, pools: Pools, places: dict[str, Place]
) -> Any:
    assert part.weight
    mask = subnetwork.masks[part.weight]
    layer, found = place_convolution(
        *(shape_of(part), mask.reshape(*mask.shape[:2], *part.kernel), signals[part.x[0]], signals[part.y], pools),
        bias=part.bias is not None,
        backward=bool(operation["back_x"]),
    )
    places[part.weight] = found["weight"]
    if part.bias:
        places[part.bias] = found["bias"]
    operation["weight"], operation["bias"] = layer["weights"], layer["bias"]
    return layer


def _ways_back(layer: Any) -> range:
    return range(layer["passes"] + 1, layer["passes"] + 1 + layer["backs"])


def _place_linear(
    subnetwork: Subnetwork, part: Part, signals: np.ndarray, pools: Pools, places: dict[str, Place]
) -> Any:
    assert part.weight
    layer, mask = np.zeros(1, LAYER)[0], subnetwork.masks[part.weight]
    layer["activation"], layer["keep"] = ACTIVATIONS[part.activation], -1
    layer["outputs"], layer["inputs"] = mask.shape
    layer["x"], layer["y"] = signals[part.x[0]]["start"], signals[part.y]["start"]
    placed = place_dense(layer, mask, pools) if is_dense(mask) else place_sparse(layer, mask, pools, backward=True)
    row, column, positions = placed
    places[part.weight] = Place(positions, row * mask.shape[1] + column)
    layer["bias"] = _place_row(part.bias, len(mask), pools, places)
    return layer


def network_of_rows(
    linear: Sequence[Any], result: Any, block: int, blocks: int, parameters: np.ndarray, pools: Pools, backward: bool
) -> Network:
    """The linear layers, and behind them one without links that is the outputs."""
    layers = np.zeros(len(linear) + 1, LAYER)
    layers[:-1] = linear
    last = layers[-1]
    last["outputs"], last["activation"], last["y"] = result["channels"], IDENTITY, result["start"]
    widest = int(layers["stride"].max())
    rows = padded(int(max(layers["inputs"].max(), layers["outputs"].max())))
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
        pieces=np.zeros(0, np.int64),
        slots=np.zeros(0, np.int32),
        example_starts=np.zeros(LANES, np.int64),
        listed=room_for_lists(0, 0, 0, -1, -1, blocks),
    )


def _held(subnetwork: Subnetwork, places: dict[str, Place]) -> np.ndarray:
    """Where parameters are that have a mask but no links."""
    links = subnetwork.architecture.link_weights
    found = [
        place.positions[~subnetwork.masks[name].ravel()[place.elements]]
        for name, place in places.items()
        if name in subnetwork.masks and name not in links
    ]
    return np.concatenate([np.empty(0, np.int64), *found])


def slots_of(signal: Any) -> np.ndarray:
    """Where in a block each number of an example goes, int32."""
    channel, y, x = np.indices([signal["channels"], signal["height"], signal["width"]])
    height, width = signal["height"] + 2 * signal["halo"], signal["width"] + 2 * signal["halo"]
    rows = (channel * height + y + signal["halo"]) * width + x + signal["halo"]
    return (signal["start"] + rows.ravel() * ROW).astype(np.int32)
