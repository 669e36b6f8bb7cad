"""Where the signals of a program lie in a block, and the derivatives by them."""

from collections import defaultdict
from collections.abc import Set
from typing import Any

import numpy as np

from karikomi.engines.sparse.kernels.convolution_layout import Shape, halo_of_outputs
from karikomi.engines.sparse.kernels.placement import padded
from karikomi.engines.sparse.kernels.planes import PLANES, extent
from karikomi.engines.sparse.kernels.vector import LANES
from karikomi.engines.sparse.lowering import Lowered
from karikomi.networks.program import Part


def place_signals(low: Lowered, passing: Set[int]) -> tuple[np.ndarray, int, int, int]:
    """Where each signal is, and the elements of a block of planes, of one of rows, and of the room for what passes.

    Signals ``passing`` are told by their planes; where they start is counted from the begin of that room.
    """
    signals = np.zeros(len(low.signals), PLANES)
    for record, signal in zip(signals, low.signals, strict=True):
        record["channels"], record["height"], record["width"] = signal.shape
    sames = np.array([signal.same for signal in low.signals])
    halos = np.zeros(len(signals), np.int64)
    for kind, part in zip(low.kinds, low.parts, strict=True):
        if kind == "convolution":
            x, y = sames[part.x[0]], sames[part.y]
            halos[x] = max(halos[x], *part.padding)
            halos[y] = max(halos[y], halo_of_outputs(shape_of(part)))
    ends = {False: 0, True: 0}
    for number in np.unique(sames):
        in_rows = number in low.rows
        group = sames == number
        signals["start"][group], signals["halo"][group] = ends[in_rows], halos[number]
        whole = signals[number]
        if number in passing:
            continue
        ends[in_rows] += padded(int(whole["channels"])) * LANES if in_rows else padded(extent(whole), 64)
    return signals, ends[False], ends[True], _place_passing(signals, sames, passing)


def place_slopes(
    low: Lowered, operations: np.ndarray, signals: np.ndarray, passing: Set[int]
) -> tuple[np.ndarray, int, int]:
    """Where the derivatives by each signal are, and the elements of a block and of the room for those that pass.

    Signals of one shape share places, so that a border of zeros stays one.
    """
    sames = np.array([signal.same for signal in low.signals])
    free, there, end = defaultdict[tuple[int, ...], list[int]](list), dict[int, int](), 0
    read = sames[operations["slopes"]]
    for number in range(len(operations) - 1, -1, -1):
        operation: Any = operations[number]
        kind = low.kinds[number]
        given = [int(sames[operation[what]]) for what in ("x", "z") if operation[f"back_{what}"]]
        for same in given if kind != "normalization" else given[-1:] if operation["back_z"] else []:
            if same not in there and same not in low.rows and same not in passing:
                places = free[_geometry(signals[same])]
                if not places:
                    places.append(end)
                    end += padded(extent(signals[same]), 64)
                there[same] = places.pop()
        if read[number] in there and read[number] not in read[:number]:
            free[_geometry(signals[read[number]])].append(there[read[number]])
    slopes = signals.copy()
    slopes["start"] = [there.get(same, 0) for same in sames]
    return slopes, end, _place_passing(slopes, sames, passing)


def passing_signals(low: Lowered, segments: np.ndarray) -> tuple[frozenset[int], frozenset[int]]:
    """What need not be kept, and whose derivatives need not.

    Signals that a normalization makes and only its own segment reads: the way back makes them again. Derivatives by
    what is normalized, if the same segment makes it and nothing else reads it.
    """
    sames = [signal.same for signal in low.signals]
    own = np.repeat(np.arange(len(segments)), segments[:, 1] - segments[:, 0])
    read, signals, slopes = defaultdict[int, list[int]](list), set[int](), set[int]()
    makers = {}
    for number, (kind, part) in enumerate(zip(low.kinds, low.parts, strict=True)):
        for same in {sames[x] for x in part.x}:
            read[same].append(number)
        if kind != "statistics":
            makers[sames[part.y]] = number
    for number, (kind, part) in enumerate(zip(low.kinds, low.parts, strict=True)):
        made, given = sames[part.y], sames[part.x[0]]
        if kind == "normalization" and read[made] and all(own[reader] == own[number] for reader in read[made]):
            signals.add(made)
        if kind == "statistics" and read[given] == [number, number + 1] and given in makers:
            slopes |= {given} if own[makers[given]] == own[number] else set()
    return frozenset(signals - {sames[low.output]}), frozenset(slopes)


def _place_passing(signals: np.ndarray, sames: np.ndarray, passing: Set[int]) -> int:
    """Those of one shape share a place, as only one of them is there at a time."""
    places, end = dict[tuple[int, ...], int](), 0
    for number in sorted(passing):
        if _geometry(signals[number]) not in places:
            places[_geometry(signals[number])] = end
            end += padded(extent(signals[number]), 64)
        signals["start"][sames == number] = places[_geometry(signals[number])]
    return end


def _geometry(signal: Any) -> tuple[int, ...]:
    return tuple(int(signal[side]) for side in ("channels", "height", "width", "halo"))


def shape_of(part: Part) -> Shape:
    return Shape(part.kernel, part.stride, part.padding, part.dilation, part.groups)
