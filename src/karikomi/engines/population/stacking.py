"""Subnetworks of one structure stacked into one population."""

import copy
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from karikomi.networks.subnetwork import Subnetwork


class Population:
    """P subnetworks of one structure, on a copy of the module; one alone is that copy, as in any plain loop.

    Starts in evaluation mode.

    Attributes:
        parameters: what is trained, ``[P, …]``, or of one alone the module's own.
    """

    def __init__(self, members: Sequence[Subnetwork], device: torch.device, *, channels_last: bool = False) -> None:
        self.members, self.device = list(members), device
        self.module = copy.deepcopy(members[0].module).to(device).eval()
        if channels_last:
            self.lay_channels_last()
        self._stacked: dict[str, Tensor] = {}
        for name, own in own_state(self.module).items():
            stacked = torch.from_numpy(np.stack([_value(member, name) for member in members])).to(device)
            if len(members) == 1:
                own.data.copy_(stacked[0])
            else:
                self._stacked[name] = stacked.requires_grad_(own.requires_grad)
        own = self._stacked or own_state(self.module)
        self.parameters = {name: value for name, value in own.items() if value.requires_grad}
        # Where a layer is whole in every network there is nothing to hold at 0. As floats, because multiplying by
        # bools makes a float copy of them each time.
        self.masks = {
            name: self.in_place_of(name, np.stack([_mask(member, name) for member in members]))
            for name in dict.fromkeys(name for member in members for name in member.masks)
            if name in self.parameters and not all(_mask(member, name).all() for member in members)
        }
        self._frozen: dict[str, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.members)

    @property
    def state(self) -> dict[str, Tensor]:
        """The values of every parameter and buffer as they are now, ``[P, …]``."""
        if len(self) > 1:
            return {name: value.detach() for name, value in self._stacked.items()}
        return {name: value.detach().unsqueeze(0) for name, value in own_state(self.module).items()}

    def lay_channels_last(self) -> None:
        """In memory; a network computes as its weights lie."""
        for weight in self.module.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def in_place_of(self, name: str, stacked: np.ndarray) -> Tensor:
        """An array ``[P, …]`` as a tensor laid out like the parameter ``name``."""
        values = torch.from_numpy(stacked)
        return torch.zeros_like(self.parameters[name]).copy_(values if len(self) > 1 else values[0])

    def row(self, stacked: Tensor, number: int) -> Tensor:
        """One network's part of a parameter, its gradient or its mask: a view."""
        return stacked[number] if len(self) > 1 else stacked

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

    def learn(self, x: Tensor, y: Tensor, smoothing: float, precision: AbstractContextManager[Any]) -> Tensor:
        """The :meth:`losses`, passed forward in ``precision``; the parameters get their gradients."""
        with precision:
            losses = self.losses(x, y, smoothing)
        for leaf in self.parameters.values():  # zero_grad, without its hooks
            leaf.grad = None
        (losses if len(self) == 1 else losses.sum()).backward()
        return losses.detach()

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
        for name, (frozen, _) in self._frozen.items():
            gradient = self.parameters[name].grad
            if gradient is not None:
                gradient.masked_fill_(frozen, 0)

    def freeze(self, frozen: Mapping[str, Tensor]) -> None:
        """Links that are to keep the value that they have now: where a tensor laid out like the parameter is not 0."""
        self._frozen = {name: (where.bool(), self.parameters[name].detach().clone()) for name, where in frozen.items()}

    @torch.no_grad()
    def restore_frozen(self) -> None:
        """Undo what decay has done to them."""
        for name, (frozen, value) in self._frozen.items():
            self.parameters[name].copy_(torch.where(frozen, value, self.parameters[name]))

    def clip_gradients(self, limit: float) -> None:
        """Scale each network's gradient to an L2 norm of at most ``limit``, as ``clip_grad_norm_`` does."""
        gradients = [value.grad for value in self.parameters.values() if value.grad is not None]
        squares = torch.stack([gradient.reshape(len(self), -1).square().sum(1) for gradient in gradients])
        kept = (limit / (squares.sum(0).sqrt() + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(kept.view(-1, *[1] * (gradient.ndim - 1)) if len(self) > 1 else kept.squeeze())

    def clone(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.state.items()}

    def unstack(self, state: Mapping[str, Tensor], members: Sequence[Subnetwork]) -> list[Subnetwork]:
        """The members, as they were then, with the weights of ``state``, which is stacked like ``self.state``."""
        arrays = {name: value.cpu().numpy() for name, value in state.items()}
        return [
            # Masked again, because in a network that diverged 0 · ∞ is NaN where 0 was promised.
            replace(member, weights={name: arrays[name][p].copy() for name in member.weights}).masked(member.masks)
            for p, member in enumerate(members)
        ]


def each_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of every example, ``[P, n]``."""
    losses = cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=smoothing)
    return losses.view(labels.shape)


def own_state(module: nn.Module) -> dict[str, Tensor]:
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
