"""Models of many kinds, each with its own oracle: a forward that says, in its author's words, where units act.

A model calls ``change(layer, signal)`` wherever a layer's units act; a signal with units on another axis than the last
names it. What units are is thus written by hand, once more, and independently of how they are found.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Change = Callable[..., Tensor]


def keep(layer: str, signal: Tensor, axis: int = -1, each: int = 1) -> Tensor:
    return signal


class Oracle(nn.Module):
    """A model whose forward takes ``change``."""

    inputs: tuple[tuple[int, ...], ...] = ((6,),)
    tokens = 0
    classes = 3

    def given(self, many: int) -> tuple[Tensor, ...]:
        """Inputs of so many examples."""
        generator = torch.Generator().manual_seed(1)
        if self.tokens:
            return tuple(torch.randint(self.tokens, (many, *shape), generator=generator) for shape in self.inputs)
        return tuple(torch.randn(many, *shape, generator=generator) for shape in self.inputs)


def trained(make: Callable[[], Oracle]) -> Oracle:
    """A model with running statistics, scales and shifts like those of a trained one."""
    torch.manual_seed(0)
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        if not model.tokens:
            model.train()(*(2 * torch.randn(64, *shape) + 1 for shape in model.inputs))
    return model.eval()
