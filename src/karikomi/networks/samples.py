"""Inputs to follow a model's forward on."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from karikomi.errors import InputError
from karikomi.networks.tape import record

SIDES = (28, 32, 64, 96, 128, 224, 299, *range(40, 3, -1))
"""Widths of images, and lengths of sequences, that are tried."""


def some_examples(given: Any, many: int) -> Any:
    """The first ``many`` examples of nested inputs, from the first on again where there are fewer."""
    count = max((len(leaf) for leaf in tree_leaves(given) if isinstance(leaf, Tensor) and leaf.ndim), default=0)

    def some(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.ndim or len(leaf) != count:
            return leaf
        return leaf[torch.arange(many, device=leaf.device) % count]

    return tree_map(some, given)


def guessed(module: nn.Module) -> tuple[Tensor, ...]:
    """Three examples that the module takes, found by trying.

    Raises:
        InputError: if none that is tried is taken.
    """
    first = next(chain(module.parameters(), module.buffers()), torch.zeros(0))
    floating = first.dtype if first.is_floating_point() else torch.float32
    generator, problem = torch.Generator().manual_seed(0), None
    for shape, top in _candidates(module):
        drawn = torch.rand(3, *shape, generator=generator)
        inputs = (drawn * top).long() if top else drawn.to(floating)
        try:
            with torch.no_grad():
                record(module, (inputs.to(first.device),))
        except InputError as error:
            problem = problem or error
        else:
            return (inputs.to(first.device),)
    raise InputError(f"which inputs the model takes is not known ({problem}); give some, as in describe(model, x)")


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
