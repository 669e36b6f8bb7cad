"""More contestants: a plain PyTorch loop with layers that are sparse, dense, or compute nothing."""

import time
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import torch
from contestants import Run
from plain_torch import masks_of, minibatch_losses, model_of, tensors
from problem import BATCH, LEARNING_RATE, Problem, mnist
from torch import Tensor, nn

from karikomi.networks import build

Replace = Callable[[Any, Tensor], nn.Module]
"""A layer for the links of another one that are in a mask."""


def sparse_linear(problem: Problem, networks: int, threads: int) -> Run:
    from karikomi.torch import SparseLinear

    return _trained(problem, threads, SparseLinear.from_dense, lambda layer: layer.to_dense().weight)


def sparseprop(problem: Problem, networks: int, threads: int) -> Run:
    return _trained(problem, threads, _sparseprop_linear, lambda layer: layer.to_dense().weight)


def sparseprop_convolutions(problem: Problem, networks: int, threads: int) -> Run:
    """Each convolution in the form that the library itself finds to be the faster one."""
    from sparseprop.modules import sparsify_conv2d_auto

    model, shapes = model_of(problem.subnetwork), dict[str, tuple[int, ...]]()
    for name in problem.subnetwork.masks:
        layer = model.get_submodule(name.removesuffix(".weight"))
        layer.register_forward_hook(lambda layer, given, made, name=name: shapes.update({name: given[0].shape}))
    model(tensors(mnist().train.take(np.arange(BATCH)))[0])
    order = iter(shapes.values())

    def replace(layer: nn.Module, mask: Tensor) -> nn.Module:
        shape = next(order)
        if isinstance(layer, nn.Linear):
            return _sparseprop_linear(layer, mask)
        layer.weight.data *= mask
        return sparsify_conv2d_auto(layer, shape)

    return _trained(problem, threads, replace, None)


def _sparseprop_linear(linear: nn.Linear, mask: Tensor) -> nn.Module:
    from sparseprop.modules.linear import SparseLinear

    return SparseLinear(linear.weight.detach() * mask, nn.Parameter(linear.bias.detach().clone()))


def masked(problem: Problem, networks: int, threads: int) -> Run:
    """Dense layers under masks: eager or compiled, channels last or not, whichever is the fastest here."""
    torch.set_num_threads(threads)
    x, y = tensors(mnist().train)
    model, forward = _fastest(problem.network)
    start, masks = model_of(problem.subnetwork).state_dict(), masks_of(problem.subnetwork)

    def run(steps: int) -> tuple[float, dict[str, np.ndarray]]:
        model.load_state_dict(start)
        order = torch.from_numpy(problem.order(0, steps))
        losses = [*minibatch_losses(model, masks, x, y, order, LEARNING_RATE, forward)]
        return float(torch.stack(losses).mean()), {}

    return run


@cache
def _fastest(network: str) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """A model and its forward."""
    x, y = tensors(mnist().train)
    order, choices = torch.arange(10 * BATCH).reshape(10, BATCH), []
    for form in (torch.contiguous_format, torch.channels_last):
        model = build(network, (28, 28), 10).to(memory_format=form)
        choices += [(model, model), (model, torch.compile(model))]

    def seconds(choice: tuple[nn.Module, Callable[[Tensor], Tensor]]) -> float:
        began = time.perf_counter()
        for _ in minibatch_losses(choice[0], {}, x, y, order, LEARNING_RATE, choice[1]):
            pass
        return time.perf_counter() - began

    for choice in [*choices]:
        try:
            seconds(choice)  # compiles
        except RuntimeError:  # compiled for AVX2, the way back of max pooling stops at an index out of bounds
            choices.remove(choice)
    return min(choices, key=lambda choice: min(seconds(choice) for _ in range(3)))


def sparselab(problem: Problem, networks: int, threads: int) -> Run:
    """Its masks are its own; here the layer is given the problem's, so that all do the same work."""
    from sparselab import SparseLinear, layout, ops

    # The layouts of the way back are kept by the address of the layer's: another model's may have had the same.
    ops._transpose_cache.clear()

    def replace(linear: nn.Linear, mask: Tensor) -> nn.Module:
        layer = SparseLinear(linear.in_features, linear.out_features, sparsity=1 - float(mask.float().mean()))
        layer._csr = layout.from_dense(linear.weight.detach() * mask, padding_ratio=layer.padding_ratio)
        layer._values = nn.Parameter(torch.from_numpy(np.asarray(layer._csr.values)))
        layer.bias.data.copy_(linear.bias)
        return layer

    return _trained(problem, threads, replace, lambda layer: layout.to_dense(layer._csr))


def dense(problem: Problem, networks: int, threads: int) -> Run:
    """All links, and so no masks to multiply: what a sparse network costs at the least in dense layers."""
    return _trained(problem, threads, lambda linear, mask: linear, None)


def dense_compiled(problem: Problem, networks: int, threads: int) -> Run:
    return _trained(problem, threads, lambda linear, mask: linear, None, torch.compile)


def nothing(problem: Problem, networks: int, threads: int) -> Run:
    """What is left of the loop if layers cost nothing: minibatches, activations, the loss, autograd, Adam."""
    return _trained(problem, threads, Nothing, None)


class Nothing(nn.Module):
    """As many parameters as there are links and biases; outputs and gradients are 0."""

    def __init__(self, linear: nn.Linear, mask: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(int(mask.sum()))), nn.Parameter(linear.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return _Zeros.apply(x, self.weight, self.bias)


class _Zeros(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        return x.new_zeros(len(x), len(bias))

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        return tuple(
            torch.zeros_like(one) if wanted else None
            for one, wanted in zip(ctx.saved_tensors, ctx.needs_input_grad, strict=True)
        )


def _trained(
    problem: Problem,
    threads: int,
    replace: Replace,
    weight_of: Callable[[Any], Tensor] | None,
    wrap: Callable[[nn.Module], Any] = lambda model: model,
) -> Run:
    """The loop with every linear layer replaced; without ``weight_of`` nothing is said about the weights."""
    torch.set_num_threads(threads)
    x, y = tensors(mnist().train)
    model, names = model_of(problem.subnetwork), [name.removesuffix(".weight") for name in problem.subnetwork.masks]
    for name in names:
        mask = torch.from_numpy(problem.subnetwork.masks[f"{name}.weight"])
        model.set_submodule(name, replace(model.get_submodule(name), mask))
    start, forward = deepcopy(model.state_dict()), wrap(model)

    def run(steps: int) -> tuple[float, dict[str, np.ndarray]]:
        model.load_state_dict(start)
        total, order = torch.zeros(()), torch.from_numpy(problem.order(0, steps))
        for loss in minibatch_losses(model, {}, x, y, order, LEARNING_RATE, forward):
            total += loss
        weights: dict[str, np.ndarray] = {}
        for name in names if weight_of else ():
            layer = model.get_submodule(name)
            weights[f"{name}.weight"] = weight_of(layer).detach().numpy()
            weights[f"{name}.bias"] = layer.bias.detach().numpy()
        return float(total) / steps, weights

    return run
