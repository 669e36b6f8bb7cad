"""Which subnetworks of a list are stacked together, and how each population computes."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from karikomi.engines.population.portions import worth_portions
from karikomi.engines.population.stacking import Population, own_state
from karikomi.errors import InputError
from karikomi.networks.architecture import CONVOLUTIONS
from karikomi.networks.subnetwork import Subnetwork

# On a CPU stacking shares out what a step costs beside its arithmetic, but slows the arithmetic down. Time of 8 stacked
# networks over that of 8 one after another, batch 60, one thread: mlp-8 0.75, mlp-32-16 0.8, mlp-100-50 1.1,
# LeNet-300-100 1.4, a small vision transformer 1.1. So it is for networks whose weights, and activations of one
# minibatch, take fewer bytes than this.
CPU_STACKED_BYTES, CPU_POPULATION = 2**19, 8
# Keeps a validation block within the cache: blocks of 500 to 1250 LeNet examples were the fastest.
CPU_BLOCK_BYTES = 2**25
# Shares of a GPU's whole memory, not of what is free: that changes, and with it would change who is stacked with
# whom, and so the last bits of the results.
CUDA_POPULATION_SHARE, CUDA_BLOCK_SHARE = 0.5, 0.125
# Weights, gradient, mask, Adam's two moments, best, snapshot, and room for one temporary.
TRAINING_COPIES = 8


@dataclass(frozen=True)
class Planned:
    """A population to be: the places of its members in the list, and how it computes."""

    members: list[int]
    # Examples that it is evaluated on at a time.
    block: int
    channels_last: bool
    # Whether its training draws random numbers, as dropout does.
    draws: bool
    # Whether its minibatches are better computed in portions.
    portions: bool

    def of(self, subnetworks: Sequence[Subnetwork], device: torch.device) -> Population:
        return Population([subnetworks[i] for i in self.members], device, channels_last=self.channels_last)


def plan(
    subnetworks: Sequence[Subnetwork], samples: Tensor, classes: int, *, apart: Sequence[object] = (), batch: int = 0
) -> list[Planned]:
    """Which subnetworks are stacked together, and how each such population computes.

    Depends on the list and the machine alone. Everything is checked before the first network is trained.

    Args:
        samples: two inputs ``[2, …]``, on the device.
        apart: subnetworks that differ here are not stacked together.
        batch: examples in a training step; 0 where none is.
    """
    groups: dict[object, list[int]] = {}
    for i, subnetwork in enumerate(subnetworks):
        _check_weights(subnetwork)
        groups.setdefault((_structure(subnetwork), apart[i] if apart else 0), []).append(i)
    populations = []
    for members in groups.values():
        first = subnetworks[members[0]]
        alone = Population([first], samples.device)
        per_example = _try(alone, samples, classes)
        draws = _draws_numbers(alone, samples)
        size, block_bytes = _capacity(first, samples, per_example, batch)
        channels_last = size == 1 and _gains_by_channels_last(alone, samples)
        portions = size == 1 and batch > 0 and not draws and worth_portions(alone, samples)
        for start in range(0, len(members), size):
            some = members[start : start + size]
            block = max(1, block_bytes // (per_example * len(some)))
            populations.append(Planned(some, block, channels_last, draws, portions))
    return populations


def _capacity(subnetwork: Subnetwork, samples: Tensor, per_example: int, batch: int) -> tuple[int, int]:
    """How many such networks are stacked at most, and the bytes that a block of examples may take."""
    if samples.device.type == "cuda":
        memory = torch.cuda.mem_get_info(samples.device)[1]
        # What autograd keeps, and as much again for the gradients that flow back.
        network = TRAINING_COPIES * sum(w.nbytes for w in subnetwork.weights.values()) + 2 * batch * per_example
        size, block_bytes = int(CUDA_POPULATION_SHARE * memory) // network, int(CUDA_BLOCK_SHARE * memory)
    else:
        # Under vmap convolutions become grouped ones, which PyTorch's CPU kernels run slower than one after another.
        convolutional = any(isinstance(part, CONVOLUTIONS) for part in subnetwork.module.modules())
        small = sum(w.nbytes for w in subnetwork.weights.values()) + batch * per_example <= CPU_STACKED_BYTES
        size, block_bytes = CPU_POPULATION if small and not convolutional else 1, CPU_BLOCK_BYTES
    return size if size > 1 and _vmap_runs(subnetwork, samples) else 1, block_bytes


def _draws_numbers(population: Population, samples: Tensor) -> bool:
    population.module.train()
    before = torch.default_generator.get_state()
    with torch.no_grad():
        population.forward(samples, shared=True)
    return not torch.equal(before, torch.default_generator.get_state())


def _gains_by_channels_last(population: Population, samples: Tensor) -> bool:
    """On a CPU 2-D convolutions do, 1.2 to 1.6 times; a network that views their outputs as contiguous cannot."""
    if samples.device.type != "cpu" or not any(isinstance(part, nn.Conv2d) for part in population.module.modules()):
        return False
    population.lay_channels_last()
    try:
        with torch.enable_grad():
            population.forward(samples, shared=True).sum().backward()
    except RuntimeError:
        return False
    return True


def _vmap_runs(subnetwork: Subnetwork, samples: Tensor) -> bool:
    """Recurrent layers and cells, and control flow that depends on values, cannot be vectorized."""
    population = Population([subnetwork, subnetwork], samples.device)
    population.module.train()
    with warnings.catch_warnings():
        # What vmap has no rule for it does network by network, as we can without it.
        warnings.filterwarnings("error", "There is a performance drop")
        try:
            population.forward(torch.stack([samples, samples]), shared=False)
        except (RuntimeError, UserWarning):
            return False
    return True


def _try(population: Population, samples: Tensor, classes: int) -> int:
    """Bytes that an example occupies in the network, by what autograd keeps; refuses a network that does not fit."""
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.nbytes if tensor.shape[:1] == samples.shape[:1] else 0
        return tensor

    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            outputs = population.forward(samples, shared=True)[0]
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"the network cannot take samples of shape {tuple(samples.shape[1:])}: {reason}") from error
    if outputs.ndim != 2 or outputs.shape[1] < classes:
        shape = "[n, " + ", ".join(map(str, outputs.shape[1:])) + "]"
        raise InputError(f"the network must give outputs [n, {classes}] or more, one per class; it gives {shape}")
    return max(kept, samples.nbytes, outputs.nbytes) // len(samples)


def _structure(subnetwork: Subnetwork) -> object:
    """What two subnetworks must share to be stacked.

    Plain attributes count by their ``repr``: where that shows an address the two are kept apart, which is slower
    but never wrong.
    """
    tensors = ("_parameters", "_buffers", "_modules", "training")
    parts = tuple(
        (name, type(part), repr({key: value for key, value in vars(part).items() if key not in tensors}))
        for name, part in subnetwork.module.named_modules()
    )
    own = own_state(subnetwork.module)
    return parts, tuple((name, value.shape, value.dtype, value.requires_grad) for name, value in own.items())


def _check_weights(subnetwork: Subnetwork) -> None:
    expected = subnetwork.module.state_dict()
    if expected.keys() != subnetwork.weights.keys():
        differ = ", ".join(sorted(expected.keys() ^ subnetwork.weights.keys()))
        raise InputError(f"weights must name the module's parameters and buffers; they differ in {differ}")
    for name, value in subnetwork.weights.items():
        if value.shape != tuple(expected[name].shape):
            raise InputError(
                f"weights[{name!r}] must have the shape {list(expected[name].shape)}; it has {list(value.shape)}"
            )
        if not np.isfinite(value).all():
            raise InputError(f"weights[{name!r}] must be finite; it holds NaN or infinite values")
    tied = expected.keys() - own_state(subnetwork.module).keys()
    if tied:
        raise InputError(f"parameters that layers share are not supported; {', '.join(sorted(tied))} is one")
