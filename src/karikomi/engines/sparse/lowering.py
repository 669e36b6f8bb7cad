"""A program with what kernels need beside its parts: two steps for normalization, moves between planes and rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from karikomi.networks.program import Part, Program, Shape, Signal


@dataclass(frozen=True)
class Lowered:
    """``kinds`` are those of the operations; ``rows`` are the signals that are rows of linear layers."""

    signals: Sequence[Signal]
    kinds: Sequence[str]
    parts: Sequence[Part]
    rows: frozenset[int]
    output: int


def lowered(program: Program, *, near: bool = False) -> Lowered:
    """``near``: convolutions of what was normalized follow its first reader."""
    return _Lowering(program, near).run()


class _Lowering:
    def __init__(self, program: Program, near: bool) -> None:
        self.near = near
        self.program, self.signals = program, list(program.signals)
        self.kinds, self.parts, self.rows = list[str](), list[Part](), set[int]()
        first = next(x for part in program.parts for x in part.x if self.signals[x].same == 0)
        self.signals[0] = Signal(self.signals[first].shape, 0)

    def run(self) -> Lowered:
        program = self.program
        parts = _summed_early(program, bent_late(program))
        for part in _read_at_once(program, parts) if self.near else parts:
            if part.kind == "linear":
                self._add("linear", replace(part, x=(self._as_rows(part.x[0]),)))
                self.rows.add(part.y)
                continue
            part = replace(part, x=tuple(map(self._as_planes, part.x)))
            if part.kind == "normalization":
                self._add("statistics", replace(part, x=part.x[:1]))
            self._add(part.kind, part)
        output = self._as_rows(program.output)
        return Lowered(self.signals, self.kinds, self.parts, frozenset(self.rows), output)

    def _as_rows(self, number: int) -> int:
        """Rows that have no other reader."""
        same = self.signals[number].same
        if same in self.rows:
            if len(readers_of(self.program, number)) <= 1:
                return same
            same = self._move("to_planes", same, self.signals[same].shape)
        rows = self._move("to_rows", same, Shape(math.prod(self.signals[same].shape)))
        self.rows.add(rows)
        return rows

    def _as_planes(self, number: int) -> int:
        shape, same = self.signals[number].shape, self.signals[number].same
        if same in self.rows:
            return self._move("to_planes", same, shape)
        # Planes may have a halo, so another shape is another order in memory.
        return same if shape == self.signals[same].shape else self._move("to_planes", self._as_rows(same), shape)

    def _move(self, kind: str, x: int, shape: Shape) -> int:
        y = len(self.signals)
        self.signals.append(Signal(shape, y))
        self._add(kind, Part("sum", "", (x,), y))
        return y

    def _add(self, kind: str, part: Part) -> None:
        self.kinds.append(kind)
        self.parts.append(part)


def readers_of(program: Program, number: int) -> list[Part]:
    same = program.signals[number].same
    return [part for part in program.parts for x in part.x if program.signals[x].same == same]


def bent_late(program: Program) -> list[Part]:
    """ReLU behind the largest value of a window gives the same as before it, and is less work."""
    parts = {part.y: part for part in program.parts}
    for part in program.parts:
        readers = readers_of(program, part.y)
        if part.activation == "relu" and [reader.kind for reader in readers] == ["maximum"]:
            reader = parts[readers[0].y]
            if reader.activation == "identity" and program.signals[part.y].same != program.signals[program.output].same:
                parts[part.y], parts[reader.y] = (
                    replace(parts[part.y], activation="identity"),
                    replace(reader, activation="relu"),
                )
    return list(parts.values())


def _summed_early(program: Program, parts: Sequence[Part]) -> list[Part]:
    """A sum as part of the later of its two normalizations, or of the only one."""
    kept, places = list(parts), {part.y: place for place, part in enumerate(parts)}
    for part in parts:
        if part.kind != "sum" or len(part.x) < 2:
            continue
        early, late = sorted(part.x, key=lambda number: places.get(number, -1))
        maker = kept[places[late]] if late in places else part
        alone = len(readers_of(program, late)) == 1
        if maker.kind == "normalization" and len(maker.x) == 1 and maker.activation == "identity" and alone:
            kept[places[late]] = replace(maker, x=(maker.x[0], early), y=part.y, activation=part.activation)
            kept[places[part.y]] = replace(part, kind="")
    return [part for part in kept if part.kind]


def _read_at_once(program: Program, parts: Sequence[Part]) -> list[Part]:
    """Convolutions of a normalization's signal behind its first reader, so that it need not be kept for them."""
    sames = [signal.same for signal in program.signals]
    normalized, ordered = {sames[part.y] for part in parts if part.kind == "normalization"}, list[Part]()
    for part in parts:
        same = sames[part.x[0]]
        readers = [place for place, other in enumerate(ordered) if same in (sames[x] for x in other.x)]
        early = part.kind == "convolution" and same in normalized and readers
        ordered.insert(readers[0] + 1 if early else len(ordered), part)
    return ordered
