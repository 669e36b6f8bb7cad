"""Subnetworks of one structure stacked into one population, and which of a list are stacked together."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork
from karikomi.networks.tracing import CONVOLUTIONS

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


class Population:
    """P subnetworks of one structure, on a copy of the module; one alone is that copy, as in any plain loop.

    Starts in evaluation mode.

    Attributes:
        parameters: what is trained, ``[P, …]``, or of one alone the module's own.
    """

    def __init__(self, members: Sequence[Subnetwork], device: torch.device) -> None:
        self.members, self.device = members, device
        self.module = copy.deepcopy(members[0].module).to(device).eval()
        self._stacked: dict[str, Tensor] = {}
        for name, own in _own_state(self.module).items():
            stacked = torch.from_numpy(np.stack([_value(member, name) for member in members])).to(device)
            if len(members) == 1:
                own.data.copy_(stacked[0])
            else:
                self._stacked[name] = stacked.requires_grad_(own.requires_grad)
        own = self._stacked or _own_state(self.module)
        self.parameters = {name: value for name, value in own.items() if value.requires_grad}
        # Where a layer is whole in every network there is nothing to hold at 0. As floats, because multiplying by
        # bools makes a float copy of them each time.
        self.masks = {
            name: self.in_place_of(np.stack([_mask(member, name) for member in members])).float()
            for name in dict.fromkeys(name for member in members for name in member.masks)
            if name in self.parameters and not all(_mask(member, name).all() for member in members)
        }

    def __len__(self) -> int:
        return len(self.members)

    @property
    def state(self) -> dict[str, Tensor]:
        """The values of every parameter and buffer as they are now, ``[P, …]``."""
        if len(self) > 1:
            return {name: value.detach() for name, value in self._stacked.items()}
        return {name: value.detach().unsqueeze(0) for name, value in _own_state(self.module).items()}

    def in_place_of(self, stacked: np.ndarray) -> Tensor:
        """An array ``[P, …]`` on the device, in the shape of what is trained."""
        tensor = torch.from_numpy(stacked).to(self.device)
        return tensor if len(self) > 1 else tensor.squeeze(0)

    def forward(self, x: Tensor, *, shared: bool) -> Tensor:
        """Outputs ``[P, n, C]`` for inputs ``[n, …]`` shared by all, or each network's own ``[P, n, …]``."""
        if len(self) == 1:  # vmap over one is slower, and demands more of the module.
            outputs = self.module(x if shared else x.squeeze(0))
            if not isinstance(outputs, Tensor):
                raise TypeError(f"it gives a {type(outputs).__name__}, not one tensor of outputs")
            return outputs.unsqueeze(0)

        def one(state: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(self.module, state, (x,))

        return vmap(one, in_dims=(0, None if shared else 0), randomness="different")(self._stacked, x)

    def losses(self, x: Tensor, y: Tensor, smoothing: float) -> Tensor:
        """Mean cross-entropy of each network on its own minibatch, ``[P]``; of one alone a scalar.

        Inputs are ``[P, n, …]``, labels ``[P, n]``.
        """
        if len(self) == 1:
            return cross_entropy(self.module(x.squeeze(0)), y.squeeze(0), label_smoothing=smoothing)
        return each_loss(self.forward(x, shared=False), y, smoothing).mean(1)

    def charge(self, costs: Mapping[str, Tensor]) -> None:
        """Add the gradient of Σ cost · |w|, which is 0 for a weight of 0."""
        for name, cost in costs.items():
            weight = self.parameters[name]
            if weight.grad is not None:
                weight.grad.addcmul_(cost, weight.detach().sign())

    def mask_gradients(self) -> None:
        """For a weight of 0, no gradient means no moment, no momentum and no decay: it stays 0."""
        for name, mask in self.masks.items():
            gradient = self.parameters[name].grad
            if gradient is not None:
                gradient.mul_(mask)

    def clip_gradients(self, limit: float) -> None:
        """Scale each network's gradient to an L2 norm of at most ``limit``, as ``clip_grad_norm_`` does."""
        gradients = [value.grad for value in self.parameters.values() if value.grad is not None]
        squares = torch.stack([gradient.reshape(len(self), -1).square().sum(1) for gradient in gradients])
        kept = (limit / (squares.sum(0).sqrt() + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(kept.view(-1, *[1] * (gradient.ndim - 1)) if len(self) > 1 else kept.squeeze())

    def clone(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.state.items()}

    def unstack(self, state: Mapping[str, Tensor]) -> list[Subnetwork]:
        """The members with the weights of ``state``, which is stacked like ``self.state``."""
        arrays = {name: value.cpu().numpy() for name, value in state.items()}
        return [
            # Masked again, because in a network that diverged 0 · ∞ is NaN where 0 was promised.
            replace(member, weights={name: arrays[name][p].copy() for name in member.weights}).masked(member.masks)
            for p, member in enumerate(self.members)
        ]


def each_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of every example, ``[P, n]``."""
    losses = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=smoothing)
    return losses.view(labels.shape)


def plan(
    subnetworks: Sequence[Subnetwork], samples: Tensor, classes: int, *, apart: Sequence[object] = (), batch: int = 0
) -> list[tuple[list[int], int]]:
    """Which subnetworks are stacked together, and how many examples such a population is evaluated on at a time.

    Depends on the list and the machine alone. Everything is checked before the first network is trained.

    Args:
        samples: two inputs ``[2, …]``, on the device.
        apart: subnetworks that differ here are not stacked together.
        batch: examples in a training step; 0 where none is.

    Returns:
        Per population the places of its members in ``subnetworks``, and the length of a block of examples.
    """
    groups: dict[object, list[int]] = {}
    for i, subnetwork in enumerate(subnetworks):
        _check_weights(subnetwork)
        groups.setdefault((_structure(subnetwork), apart[i] if apart else 0), []).append(i)
    populations = []
    for members in groups.values():
        first = subnetworks[members[0]]
        per_example = _try(first, samples, classes)
        size, block_bytes = _capacity(first, samples, per_example, batch)
        for start in range(0, len(members), size):
            some = members[start : start + size]
            populations.append((some, max(1, block_bytes // (per_example * len(some)))))
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


def draws_numbers(subnetwork: Subnetwork, samples: Tensor) -> bool:
    """Whether its training draws random numbers, as dropout does."""
    population = Population([subnetwork], samples.device)
    population.module.train()
    before = torch.default_generator.get_state()
    with torch.no_grad():
        population.forward(samples, shared=True)
    return not torch.equal(before, torch.default_generator.get_state())


def _vmap_runs(subnetwork: Subnetwork, samples: Tensor) -> bool:
    """Recurrent layers, and control flow that depends on values, cannot be vectorized."""
    population = Population([subnetwork, subnetwork], samples.device)
    population.module.train()
    try:
        population.forward(torch.stack([samples, samples]), shared=False)
    except RuntimeError:
        return False
    return True


def _try(subnetwork: Subnetwork, samples: Tensor, classes: int) -> int:
    """Bytes that an example occupies in the network, by what autograd keeps; refuses a network that does not fit."""
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.nbytes if tensor.shape[:1] == samples.shape[:1] else 0
        return tensor

    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            outputs = Population([subnetwork], samples.device).forward(samples, shared=True)[0]
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"the network cannot take samples of shape {tuple(samples.shape[1:])}: {reason}") from error
    if outputs.ndim != 2 or outputs.shape[1] < classes:
        shape = "[n, " + ", ".join(map(str, outputs.shape[1:])) + "]"
        raise InputError(f"the network must give outputs [n, {classes}] or more, one per class; it gives {shape}")
    return max(kept, samples.nbytes, outputs.nbytes) // len(samples)


def _own_state(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _value(subnetwork: Subnetwork, name: str) -> np.ndarray:
    """A parameter or buffer; removed links are 0, and a buffer that is never saved is the module's own."""
    if name not in subnetwork.weights:
        return subnetwork.module.get_buffer(name).cpu().numpy()
    weight, mask = subnetwork.weights[name], subnetwork.masks.get(name)
    return weight if mask is None else np.where(mask, weight, np.zeros((), weight.dtype))


def _mask(subnetwork: Subnetwork, name: str) -> np.ndarray:
    """What of a parameter is left: all of it, where nothing says else."""
    mask = subnetwork.masks.get(name)
    return np.ones(subnetwork.weights[name].shape, bool) if mask is None else mask


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
    own = _own_state(subnetwork.module)
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
    tied = expected.keys() - _own_state(subnetwork.module).keys()
    if tied:
        raise InputError(f"parameters that layers share are not supported; {', '.join(sorted(tied))} is one")
