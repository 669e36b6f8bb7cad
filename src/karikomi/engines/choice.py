"""Which engine trains a network."""

from collections.abc import Callable

from karikomi.engines import population
from karikomi.engines.contract import Engine, Recipe
from karikomi.engines.population.source import find_device
from karikomi.engines.suitability import why_not_sparse
from karikomi.errors import InputError
from karikomi.networks.architecture import Architecture


def choose(name: str, architecture: Architecture, recipe: Recipe | None = None) -> Engine:
    """The engine called ``name`` (``auto``, ``sparse``, ``population``) for networks of ``architecture``.

    ``auto`` is the sparse engine where no GPU is computed on and the recipe of their training has no extras, if it
    trains such networks, else the population engine.

    Raises:
        InputError: if the sparse engine is asked for and cannot train them.
    """
    extras = recipe.extras if recipe else []
    if name == "population" or (name == "auto" and (find_device().type == "cuda" or extras)):
        return population
    if extras:
        raise InputError(f"the sparse engine does not know {', '.join(extras)}; use the engine population")
    reason = why_not_sparse(architecture)
    if reason and name == "sparse":
        raise InputError(f"the sparse engine cannot train this network ({reason}); use the engine population")
    if reason:
        return population
    from karikomi.engines import convolutional, sparse  # loads the compiler

    return convolutional if architecture.perceptron is None else sparse


def warm_up(engine: Engine, say: Callable[[str], None], *, lesions: bool = False) -> None:
    """Have the engine's kernels compiled, saying so where that takes long enough to be noticed."""
    if engine is population:
        return
    from karikomi.engines import convolutional
    from karikomi.engines.sparse.compilation import compile_kernels, compiled

    kernels = {"lesions": lesions, "flows": engine is convolutional}
    if not compiled(**kernels):
        say("Compiling the kernels for this processor: 10 to 60 seconds, once.")
        compile_kernels(**kernels)
