"""Inputs of a model, in any form, and some to follow its forward on."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from karikomi.errors import InputError
from karikomi.networks.tape import record

SIDES = (28, 32, 64, 96, 128, 224, 299, *range(40, 0, -1))
"""Widths of images, and lengths of sequences, that are tried."""


def some_examples(given: Any, many: int) -> Any:
    """The first ``many`` examples of nested inputs, from the first on again where there are fewer."""
    count = max((len(leaf) for leaf in tree_leaves(given) if isinstance(leaf, Tensor) and leaf.ndim), default=0)

    def some(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.ndim or len(leaf) != count:
            return leaf
        return leaf[torch.arange(many, device=leaf.device) % count]

    return tree_map(some, given)


def guessed(module: nn.Module, sample_shape: tuple[int, ...] | None = None) -> tuple[Tensor, ...]:
    """Three examples that the module takes, found by trying; of ``sample_shape``, if it is known, or with a channel.

    Raises:
        InputError: if none that is tried is taken.
    """
    first = first_tensor(module)
    floating = first.dtype if first.is_floating_point() else torch.float32
    generator, problem = torch.Generator().manual_seed(0), None
    known = [] if sample_shape is None else [(sample_shape, 0), ((1, *sample_shape), 0)]
    for shape, top in chain(known, _candidates(module)):
        drawn = torch.rand(3, *shape, generator=generator)
        inputs = (drawn * top).long() if top else drawn.to(floating)
        try:
            with torch.no_grad():
                record(module, (inputs.to(first.device),))
        except InputError as error:
            problem = problem or error
        else:
            return (inputs.to(first.device),)
    why = problem or "no layer says it"
    raise InputError(f"which inputs the model takes is not known ({why}); give some, as in describe(model, x)")


def _candidates(module: nn.Module) -> Iterator[tuple[tuple[int, ...], int]]:
    """Shapes of an example, and the number of tokens where it is made of them (else 0)."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            yield (part.in_features,), 0
            yield (8, part.in_features), 0
        elif isinstance(part, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            axes = part.weight.ndim - 2
            yield from (((part.in_channels, *[side] * axes), 0) for side in SIDES)
        elif isinstance(part, nn.Embedding):
            yield (8,), part.num_embeddings
        elif isinstance(part, nn.RNNBase):
            yield (8, part.input_size), 0
        elif isinstance(part, nn.MultiheadAttention):
            yield (8, part.embed_dim), 0


def first_tensor(model: nn.Module) -> Tensor:
    """A parameter or buffer, which says on which device and in which precision the model is."""
    return next(chain(model.parameters(), model.buffers()), torch.zeros(0))


def inputs_of(x: Any, place: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What is given of inputs, in order and by name, as the model takes it; ``place`` is that of ``first_tensor``."""
    inputs, named = ((), dict(x)) if isinstance(x, Mapping) else (tuple(x) if isinstance(x, tuple | list) else (x,), {})
    return tree_map(lambda leaf: as_tensor(leaf, place), (inputs, named))


def as_tensor(given: Any, place: Tensor) -> Any:
    """An input as the model takes it: on its device, fractions in its precision, whole numbers as they are."""
    if not isinstance(given, Tensor | np.ndarray):
        return given
    if isinstance(given, np.ndarray) and given.dtype.kind not in "biuf":
        raise InputError(f"inputs must be numbers; these are {given.dtype}")
    tensor = given.detach() if isinstance(given, Tensor) else torch.from_numpy(np.ascontiguousarray(given))
    floating = place.dtype if place.is_floating_point() else torch.float32
    if tensor.dtype == torch.uint8:
        tensor = tensor.to(floating) / 255
    elif tensor.is_floating_point():
        tensor = tensor.to(floating)
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        raise InputError("the examples hold NaN or infinite values")
    return tensor.to(place.device)
