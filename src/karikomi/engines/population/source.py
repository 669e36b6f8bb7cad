"""Where the population engine runs, and the examples there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import Tensor

from karikomi.data.dataset import Examples
from karikomi.errors import InputError, unknown

Device = Literal["auto", "cpu", "cuda"]


class Source:
    """Examples on the device, kept as they are in memory; they become float32 when a minibatch is gathered."""

    def __init__(self, examples: Examples, device: torch.device) -> None:
        self.x = torch.tensor(examples.x, device=device)
        self.y = torch.tensor(examples.y, device=device)
        self.scale, self.device = examples.scale, device

    @property
    def pair(self) -> Tensor:
        """Two inputs to try a network on, even if there is only one example."""
        return self.inputs(torch.tensor([0, len(self.y) - 1], device=self.device))

    def inputs(self, indices: Tensor) -> Tensor:
        gathered = self.x.index_select(0, indices.flatten()).float().mul_(self.scale)
        return gathered.view(*indices.shape, *self.x.shape[1:])


def find_device(name: Device) -> torch.device:
    if name not in get_args(Device):
        raise unknown("device", name, get_args(Device))
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("PyTorch finds no CUDA device here; use device 'cpu' or 'auto'")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Gives PyTorch's random state back afterwards, and keeps cuDNN to float32 and to repeatable algorithms."""
    flags = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), flags:
        yield
