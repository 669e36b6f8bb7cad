"""The layers of a chain, or of any model, with what each of them owns and reads."""

import torch
from torch import nn

from karikomi.networks.anatomy import Anatomy
from karikomi.networks.detection import CONVOLUTIONS as KERNELS
from karikomi.networks.layers import INPUTS, Layer, Reading
from karikomi.networks.parts import Part
from karikomi.networks.tracing import CONVOLUTIONS, Chain

NORMALIZATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def layers_of_chain(chain: Chain) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    layers, before = list[Layer](), INPUTS
    for stage in chain.stages:
        prefix = f"{stage.name}.".removeprefix(".")
        owned = [f"{prefix}bias"] if stage.part.bias is not None else []
        for step in stage.after:
            if isinstance(step.part, NORMALIZATIONS):
                owned += [f"{step.name}.{name}" for name, _ in step.part.named_parameters(recurse=False)]
        shape = (stage.part.weight.shape[0], stage.part.weight.shape[1])
        reads = (Reading(before, shape, stage.places, getattr(stage.part, "groups", 1)),)
        channels = isinstance(stage.part, CONVOLUTIONS)
        layers.append(Layer(stage.name, len(stage.part.weight), channels, f"{prefix}weight", tuple(owned), reads))
        before = stage.name
    return tuple(layers[:-1]), tuple(layers[-1:])


def layers_of_anatomy(anatomy: Anatomy) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    reads = _readings(anatomy)
    hidden, outputs = (
        tuple(
            Layer(part.name, part.units, part.kind == "channels", part.weight, part.owned, reads.get(part.name, ()))
            for part in parts
        )
        for parts in (anatomy.parts, anatomy.last)
    )
    return hidden, outputs


def _readings(anatomy: Anatomy) -> dict[str, tuple[Reading, ...]]:
    """What each layer reads, if all read one layer, or the inputs, and each is read by one."""
    found: dict[str, tuple[Reading, ...]] = {}
    layers, before = [*anatomy.parts, *anatomy.last], INPUTS
    for part, following in zip(layers, [*layers[1:], None], strict=False):
        op = anatomy.tape.ops[part.calls[0]]
        weight = op.args[1] if op.name in ("linear", *KERNELS) and len(part.calls) == 1 else None
        if not isinstance(weight, nn.Parameter):
            return {}
        places = 1 if before == INPUTS else _places_of(anatomy, layers[len(found) - 1], part)
        if not places:
            return {}
        groups = op.argument(6, "groups") if op.name in KERNELS else None
        found[part.name] = (Reading(before, (weight.shape[0], weight.shape[1]), places, groups or 1),)
        if following is not None and [site.readers for site in part.sites] != [frozenset(following.calls)]:
            return {}
        before = part.name
    return found


def _places_of(anatomy: Anatomy, before: Part, part: Part) -> int:
    """Inputs of a layer that come from each unit of the one before it; 0 if they do not lie in a row."""
    [site] = before.sites
    units = site.units
    places = len(units) // before.units
    return places if torch.equal(units, torch.arange(len(units)) // max(places, 1)) else 0
