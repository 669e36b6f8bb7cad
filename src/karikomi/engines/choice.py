"""Which engine trains a network."""

from collections.abc import Callable

import torch
from torch import nn

from karikomi.engines import population
from karikomi.engines.contract import Engine
from karikomi.errors import InputError


def choose(name: str, module: nn.Module) -> Engine:
    """The engine called ``name`` (``auto``, ``sparse``, ``population``) for networks like ``module``.

    ``auto`` is the sparse engine for multilayer perceptrons where there is no GPU, else the population engine.

    Raises:
        InputError: if the sparse engine is asked for and cannot train ``module``.
    """
    if name == "population" or (name == "auto" and torch.cuda.is_available()):
        return population
    from karikomi.engines import sparse  # loads the compiler

    if sparse.supports(module):
        return sparse
    if name == "sparse":
        raise InputError("the sparse engine trains multilayer perceptrons only; use the engine population")
    return population


def warm_up(engine: Engine, say: Callable[[str], None], *, lesions: bool = False) -> None:
    """Have the engine's kernels compiled, saying so where that takes long enough to be noticed."""
    if engine is population:
        return
    from karikomi.engines.sparse.compilation import compile_kernels, compiled

    if not compiled(lesions=lesions):
        say("Compiling the kernels for this processor: 10 to 30 seconds, once.")
        compile_kernels(lesions=lesions)
