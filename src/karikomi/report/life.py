"""The life of a network, as the page's viewer plays it: frames, removals, curves, costs and scores, packed small."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

BYTES = 2_500_000
"""Of all frames in the page, at most; of longer lives fewer networks are shown."""

STRONGEST = 120
"""Links of a block that are drawn."""


@dataclass(frozen=True)
class Frame:
    """A network from a step on.

    Attributes:
        at: the step, by its place among the life's steps.
        weights: by block ``[out, in]``; 0 where there is no link.
        masks: by block which links there are, bool ``[out, in]``.
        alive: which hidden units are on a path from the inputs to the outputs, bool ``[units]``.
        loss_rise: what the loss of each hidden unit alone costs, nats, ``[units]``; None if it was not measured.
        class_drop: the same in accuracy by class, 0 … 1, ``[units, classes]``.
    """

    at: int
    weights: Sequence[np.ndarray]
    masks: Sequence[np.ndarray]
    alive: np.ndarray
    loss_rise: np.ndarray | None = None
    class_drop: np.ndarray | None = None


@dataclass(frozen=True)
class Strand:
    """One network's life.

    Attributes:
        name: what the viewer calls it.
        frames: in order, the first at step 0.
        accuracy: by step, 0 … 1; NaN where it was not measured.
        classes: the same by class, ``[steps, classes]``.
        removed: by hidden unit the step from which it is removed, 0 if never, ``[units]``; None where links go.
        alone: whether every unit is back at the next step.
        group: strands and curves that belong together.
    """

    name: str
    frames: Sequence[Frame]
    accuracy: Sequence[float]
    classes: np.ndarray | None = None
    removed: np.ndarray | None = None
    alone: bool = False
    group: str = ""


@dataclass(frozen=True)
class Curve:
    """Accuracy by step, 0 … 1; NaN where there is none. ``arm`` is the name by which the legend switches it."""

    name: str
    arm: str
    colour: str
    accuracy: Sequence[float]
    group: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Life:
    """What the viewer plays.

    Attributes:
        about: whose life it is, in a sentence.
        steps: what each step is called, in order.
        layers: names with their units, the inputs first; blocks of links lead from layer to layer by ``pairs``.
        hidden: the places of the hidden layers, in the order in which units are numbered.
        pixels: rows and columns of the inputs, if they are an image.
        scores: by criterion a number per hidden unit.
        measure: what the accuracies are.
        replaces: names of figures that the viewer shows better.
    """

    about: str
    steps: Sequence[str]
    layers: Mapping[str, int]
    pairs: Sequence[tuple[int, int]]
    hidden: Sequence[int]
    strands: Sequence[Strand]
    curves: Sequence[Curve]
    pixels: tuple[int, int] | None = None
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    measure: str = "test accuracy"
    replaces: Sequence[str] = ()


def packed(array: np.ndarray, kind: str) -> dict[str, str]:
    """An array as its ``type`` (int8, uint8, int16, int32 or float32) and ``z``: its bytes, deflated, in base64."""
    little = np.ascontiguousarray(array, np.dtype(kind).newbyteorder("<"))
    return {"type": kind, "z": base64.b64encode(zlib.compress(little.tobytes())).decode()}


def payload(life: Life) -> dict[str, Any]:
    """The life as JSON takes it: masks as bits, weights as int8 times a scale, drops of accuracy in 10⁻⁴."""
    known: dict[int, dict[str, Any]] = {}
    for strand in life.strands:
        for frame in strand.frames:
            known.setdefault(id(frame), _frame(frame))
    return {
        "about": life.about,
        "measure": life.measure,
        "steps": list(life.steps),
        "layers": [{"name": name, "units": units} for name, units in life.layers.items()],
        "pairs": [list(pair) for pair in life.pairs],
        "hidden": list(life.hidden),
        "pixels": life.pixels,
        "scores": {name: packed(score, "float32") for name, score in life.scores.items()},
        **_shared(life.strands, known),
        "curves": [{**vars(curve), "accuracy": _rounded(curve.accuracy)} for curve in life.curves],
    }


def _shared(strands: Sequence[Strand], known: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The frames, each once, and the strands, which name theirs: as many as there is room for, evenly spread."""
    chosen: list[Sequence[Frame]] = []
    used: list[int] = []
    for fewer in count(1):
        chosen = [_spread(strand.frames, fewer) for strand in strands]
        used = list(dict.fromkeys(id(frame) for frames in chosen for frame in frames))
        size = sum(len(part["z"]) for key in used for part in _parts(known[key]))
        if size <= BYTES or all(len(frames) <= 2 for frames in chosen):
            break
    number = {key: place for place, key in enumerate(used)}
    return {
        "frames": [known[key] for key in used],
        "strands": [
            {
                "name": strand.name,
                "group": strand.group,
                "alone": strand.alone,
                "accuracy": _rounded(strand.accuracy),
                "frames": [{"at": frame.at, "frame": number[id(frame)]} for frame in frames],
                "classes": None if strand.classes is None else packed(strand.classes, "float32"),
                "removed": None if strand.removed is None else packed(strand.removed, "int32"),
            }
            for strand, frames in zip(strands, chosen, strict=True)
        ],
    }


def _spread(frames: Sequence[Frame], every: int) -> Sequence[Frame]:
    """Each ``every``-th frame, the first and the last in any case."""
    return frames if every == 1 or len(frames) < 3 else [*frames[:-1:every], frames[-1]]


def _parts(frame: Mapping[str, Any]) -> list[Mapping[str, str]]:
    blocks = [block[name] for block in frame["blocks"] for name in ("mask", "weights", "strongest")]
    return [*blocks, *(frame[name] for name in ("alive", "loss", "drop") if frame[name])]


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "blocks": [_block(weight, mask) for weight, mask in zip(frame.weights, frame.masks, strict=True)],
        "alive": packed(frame.alive, "uint8"),
        "loss": None if frame.loss_rise is None else packed(frame.loss_rise, "float32"),
        "drop": None if frame.class_drop is None else packed(np.round(1e4 * np.nan_to_num(frame.class_drop)), "int16"),
    }


def _block(weight: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    # Rounded first: what is shown is a whole number of the steps that are written.
    scale = float(f"{float(np.abs(weight).max(initial=0)) / 127:.6g}") or 1.0
    strength = np.where(mask, np.abs(weight), -1).ravel()
    most = min(STRONGEST, int(mask.sum()))
    strongest = np.argsort(-strength, kind="stable")[:most]
    return {
        "mask": packed(np.packbits(mask, bitorder="little"), "uint8"),
        "weights": packed(np.round(weight / scale), "int8"),
        "scale": scale,
        "strongest": packed(strongest, "int32"),
    }


def _rounded(values: Sequence[float]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 6) for value in values]
