"""Which engine trains a network."""

from collections.abc import Callable

from karikomi.engines import population
from karikomi.engines.contract import Engine, Recipe
from karikomi.engines.population.source import find_device
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture


def choose(name: str, architecture: Architecture, recipe: Recipe | None = None) -> Engine:
    """The engine called ``name`` (``auto``, ``sparse``, ``population``) for networks of ``architecture``.

    ``auto`` is the sparse engine for multilayer perceptrons where no GPU is computed on and the recipe of their
    training has no extras, else the population engine.

    Raises:
        InputError: if the sparse engine is asked for and cannot train them.
    """
    extras = recipe.extras if recipe else []
    if name == "population" or (name == "auto" and (find_device().type == "cuda" or extras)):
        return population
    if extras:
        raise InputError(f"the sparse engine does not know {', '.join(extras)}; use the engine population")
    if architecture.perceptron is not None:
        from karikomi.engines import sparse  # loads the compiler

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
