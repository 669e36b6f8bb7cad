"""Where the population engine runs, and the examples there."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import repeat
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from karikomi.data.dataset import Examples
from karikomi.engines.contract import Recipe, Trial, stacked_minibatches
from karikomi.engines.population.augmentation import augmented, draws
from karikomi.engines.recipe import Precision
from karikomi.errors import InputError, unknown

Device = Literal["auto", "cpu", "cuda"]

_CHOSEN: ContextVar[Device] = ContextVar("device", default="auto")


# Minibatches that are gathered together; they stay in the cache.
GATHERED_BYTES = 2**21


class Source:
    """Examples on the device, kept as they are in memory; they become float32 when a minibatch is gathered."""

    def __init__(self, examples: Examples, device: torch.device) -> None:
        self.x, self.y = (_tensor(array).to(device) for array in (examples.x, examples.y))
        self.scale, self.device = examples.scale, device

    @property
    def pair(self) -> Tensor:
        """Two inputs to try a network on, even if there is only one example."""
        return self.inputs(torch.tensor([0, len(self.y) - 1], device=self.device))

    def inputs(self, indices: Tensor) -> Tensor:
        gathered = self.x.index_select(0, indices.flatten()).float().mul_(self.scale)
        return gathered.view(*indices.shape, *self.x.shape[1:])

    def minibatches(self, trials: Sequence[Trial], recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs ``[P, batch, …]`` and labels ``[P, batch]`` of every iteration, each trial's own."""
        together = max(1, GATHERED_BYTES // (len(trials) * recipe.batch * self.x[0].numel() * 4))
        counts = [min(together, recipe.iterations - first) for first in range(0, recipe.iterations, together)]

        def stacked(streams: Iterable[Iterator[np.ndarray]]) -> Iterator[Tensor]:
            """Of so many iterations ``[count, P, …]``."""
            return (torch.from_numpy(np.stack(some, axis=1)).to(self.device) for some in zip(*streams, strict=True))

        drawn = stacked(draws(trial, recipe.batch, counts) for trial in trials) if recipe.augment else repeat(None)
        for indices in stacked(stacked_minibatches(trial, recipe.batch, counts) for trial in trials):
            x, draw = self.inputs(indices), next(drawn)
            if draw is not None:
                x = augmented(x.flatten(0, 2), recipe.augment, draw.flatten(0, 2)).view(x.shape)
            yield from zip(x, self.y[indices], strict=True)


def _tensor(array: np.ndarray) -> Tensor:
    """The array itself, which is only read; PyTorch warns of one that it could not write to."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


@contextmanager
def computing_on(device: Device | None) -> Iterator[None]:
    """The device that ``auto`` stands for within; None: a GPU if there is one.

    Raises:
        InputError: if it is not there.
    """
    before = _CHOSEN.set(device or "auto")
    try:
        find_device("auto")
        yield
    finally:
        _CHOSEN.reset(before)


def find_device(name: Device = "auto") -> torch.device:
    """The device called so; a GPU for ``auto`` where there is one, unless :func:`computing_on` says otherwise.

    Raises:
        InputError: if there is none of that name, or it is not there.
    """
    name = _CHOSEN.get() if name == "auto" else name
    if name not in get_args(Device):
        raise unknown("device", name, get_args(Device))
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("PyTorch finds no CUDA device here; use device 'cpu' or 'auto'")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@contextmanager
def reproducible(device: torch.device, precision: Precision | None = None) -> Iterator[None]:
    """Gives PyTorch's random state back afterwards, and keeps a GPU to float32 and to repeatable algorithms.

    Raises:
        InputError: if TF32 is asked for, which is a GPU's, and the device is none.
    """
    tf32, products = precision == "tf32", torch.get_float32_matmul_precision()
    if tf32 and device.type != "cuda":
        raise InputError("precision tf32 is a GPU's; use bf16, or leave it at float32")
    flags = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=tf32)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), flags:
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(products)
