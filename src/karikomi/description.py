"""What the units of a model are, on one screen."""

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from karikomi.engines.suitability import why_not_lesioned, why_not_sparse
from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.architecture import Architecture
from karikomi.networks.detection import ATTENTION, CONVOLUTIONS, TRANSPOSED
from karikomi.networks.parts import Part
from karikomi.networks.regions import RESHAPING
from karikomi.networks.samples import first_tensor, inputs_of
from karikomi.networks.tape import Op, unwrapped
from karikomi.studies.show import Answer, DisplayTable

DEFINITION = (
    "A removed unit contributes nothing to anything behind its site, the last signal that leaves it to itself: the"
    " network is the one in which its row, bias and normalization, and every weight that reads it, are gone."
)
"""What the removal of a unit means, in any model."""

WORDS = {
    **dict.fromkeys(("linear", "addmm", "matmul"), "linear layers"),
    **dict.fromkeys((*CONVOLUTIONS, *TRANSPOSED), "convolutions"),
    **dict.fromkeys((*ATTENTION, "einsum"), "attention"),
    "add": "sums",
    "mul": "products",
    "cat": "concatenation",
    "layer_norm": "layer norm",
    "group_norm": "group norm",
    "batch_norm": "batch norm",
}
"""Operations by the names that people give them."""

NOTHING = {"dropout", "contiguous", "clone", "to", "float"}
"""Operations that change no number of a model in evaluation."""


def describe(model: nn.Module, x: Any = None) -> Answer:
    """The layers of a model: their units, where they act, who reads them, and what is left out, with the reason.

    Args:
        model: any module.
        x: inputs as it takes them, as in :func:`karikomi.knock_out`, a few examples; guessed if not given.

    Returns:
        An answer that shows itself on a terminal and in a notebook. Layers that are alike but for numbers in their
        names share a row.

    Raises:
        InputError: if the model does not take the inputs.

    >>> from karikomi.networks import build
    >>> print(describe(build("mlp-8-4", (3, 3), 2)).headline)
    12 units in 2 layers; output: output.
    """
    model = unwrapped(model)
    inputs, named = inputs_of(x, first_tensor(model))
    architecture = Architecture(model, None if x is None else inputs, named)
    anatomy = architecture.anatomy
    if not anatomy.found:
        raise InputError("the model has no layers with units")
    tables = [
        DisplayTable("Layers", ("layer", "units", "kind", "behind", "read by"), _rows(anatomy)),
        DisplayTable(
            "Left out", ("layer", "why"), _alike([(name, (reason,)) for name, reason in anatomy.left_out.items()])
        ),
    ]
    total = sum(part.units for part in anatomy.parts)
    outputs = ", ".join(anatomy.outputs) or "none"
    return Answer(
        headline=f"{total:,} units in {len(anatomy.parts)} layers; output: {outputs}.",
        explanation=f"{DEFINITION} {_trained_by(architecture)}",
        tables=[table for table in tables if table.rows],
        details=[],
    )


def _trained_by(architecture: Architecture) -> str:
    reason = why_not_sparse(architecture)
    if reason:
        return f"Trained by the population engine ({reason})."
    reason = why_not_lesioned(architecture)
    lesioned = f" Lesioned by the population engine ({reason})." if reason else ""
    return f"Trained by the sparse engine on a CPU.{lesioned}"


def _rows(anatomy: Anatomy) -> list[tuple[str, ...]]:
    return _alike([(part.name, _of(part, anatomy)) for part in anatomy.parts])


def _of(part: Part, anatomy: Anatomy) -> tuple[str, ...]:
    ops = anatomy.tape.ops
    behind = {_word(op) for site in part.sites if (op := _made_by(anatomy, site.value, part)) is not None}
    readers = {_word(ops[place]) for site in part.sites for place in site.readers}
    if part.recurrent:
        readers = {_word(op) for op in ops if set(op.refs) & set(ops[part.calls[0]].results)}
    return f"{part.units:,}", part.kind, ", ".join(sorted(behind)) or "–", ", ".join(sorted(readers)) or "the outputs"


def _made_by(anatomy: Anatomy, value: int, part: Part) -> Op | None:
    """The last operation on a signal that is more than another shape; None if that is the layer's own."""
    place = anatomy.makers[value]
    op = anatomy.tape.ops[place]
    if place in part.calls:
        return None
    return _made_by(anatomy, op.refs[0], part) if RESHAPING.fullmatch(op.name) or op.name in NOTHING else op


def _word(op: Op) -> str:
    return WORDS.get(op.name.strip("_"), op.name.strip("_"))


def _alike(rows: Sequence[tuple[str, tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """One row for layers that differ in a number of their names alone: blocks.0…11.attn."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, cells in rows:
        groups.setdefault((re.sub(r"\d+", "#", name, count=1), cells), []).append(name)
    found = []
    for (pattern, cells), names in groups.items():
        numbers = [match[0] for name in names if (match := re.search(r"\d+", name))]
        together = f"{numbers[0]}…{numbers[-1]}" if len(names) > 1 else ""
        found.append((pattern.replace("#", together, 1) if together else names[0], *cells))
    return found
