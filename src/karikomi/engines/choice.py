"""Which engine trains a network."""

from torch import nn

from karikomi.engines import population, sparse
from karikomi.engines.contract import Engine
from karikomi.errors import InputError


def choose(name: str, module: nn.Module) -> Engine:
    """The engine called ``name`` (``auto``, ``sparse``, ``population``) for networks like ``module``.

    ``auto`` is the sparse engine for multilayer perceptrons where there is no GPU, else the population engine.

    Raises:
        InputError: if the sparse engine is asked for and cannot train ``module``.
    """
    if name == "sparse" and not sparse.supports(module):
        raise InputError("the sparse engine trains multilayer perceptrons only; use engine population")
    if name == "population" or not sparse.supports(module) or (name == "auto" and population.has_gpu()):
        return population
    return sparse
