"""What criteria for links measure: how the loss, the gradient or the output depends on each weight with links."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.overrides import TorchFunctionMode

from karikomi.data.dataset import Examples
from karikomi.engines.population.planning import plan
from karikomi.engines.population.source import Device, Source, find_device, reproducible
from karikomi.engines.population.stacking import Population
from karikomi.errors import InputError
from karikomi.networks.detection import CONVOLUTIONS, TRANSPOSED
from karikomi.networks.nested import leaves
from karikomi.networks.subnetwork import Subnetwork
from karikomi.networks.tape import record

Parameters = Mapping[str, Tensor]

SATURATING = {"tanh", "sigmoid", "hardtanh", "hardsigmoid", "relu6"}
# Operations that a weight enters in such a way that the output is a sum of inputs times weights.
PRODUCTS = {"linear", "matmul", "__matmul__", "mm", "bmm", *CONVOLUTIONS, *TRANSPOSED}


def gradients(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> dict[str, np.ndarray]:
    """∂L/∂w by weight, float32; L is the mean cross-entropy on ``examples``, in evaluation mode.

    A removed link has a gradient too: what the loss would do if it grew.

    Raises:
        InputError: if the network does not fit the examples, or its outputs have no gradient.
    """
    with _loss(subnetwork, examples, device) as (weights, parts):
        return _arrays(weights, _summed(_gradient(part, weights) for part in parts()))


def squared_gradients(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> dict[str, np.ndarray]:
    """E[(∂ℓ/∂w)²] by weight, float32; ℓ is the cross-entropy of an example: the diagonal of the empirical Fisher.

    Raises:
        InputError: as :func:`gradients`.
    """
    with _loss(subnetwork, examples, device) as (weights, parts):
        squares = ([slope.square() for slope in _gradient(part, weights)] for part in parts(1))
        return _arrays(weights, [total * len(examples) for total in _summed(squares)])


def hessian_gradient(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> dict[str, np.ndarray]:
    """H g by weight, float32: the Hessian of L by all weights with links times the gradient; L as in :func:`gradients`.

    Raises:
        InputError: as :func:`gradients`.
    """
    with _loss(subnetwork, examples, device) as (weights, parts):
        whole = _summed(_gradient(part, weights) for part in parts())

        def product(part: Tensor) -> list[Tensor]:
            own = _gradient(part, weights, create_graph=True)
            return _gradient(torch.stack([(a * b).sum() for a, b in zip(own, whole, strict=True)]).sum(), weights)

        return _arrays(weights, _summed(map(product, parts())))


def synaptic_flow(
    subnetwork: Subnetwork, sample_shape: Sequence[int], *, device: Device = "auto"
) -> dict[str, np.ndarray]:
    """∂R/∂|w| by weight, float64; R is the sum of the outputs for an input of ones, weights by their size.

    Biases and running means are 0, normalization scales by its size, and an activation that saturates passes on what it
    gets, so that R sums the products of |w| along all paths (Tanaka et al. 2020).

    Raises:
        InputError: if R is not finite, or has no gradient.
    """
    target = find_device(device)
    module = deepcopy(subnetwork.module).double().to(target).eval()
    with torch.no_grad():
        for name, value in (*module.named_parameters(), *module.named_buffers()):
            given = np.where(subnetwork.masks.get(name, True), subnetwork.weights.get(name, value.cpu().numpy()), 0)
            value.copy_(torch.from_numpy(np.abs(given)))
            if name.endswith(("bias", "running_mean")):
                value.zero_()
    weights = _weights(module, subnetwork)
    with reproducible(target), torch.enable_grad():
        with _Unsaturated():
            flow = module(torch.ones((1, *sample_shape), dtype=torch.float64, device=target)).sum()
        found = _gradient(flow, weights)
    if not bool(torch.isfinite(flow)):
        raise InputError("the synaptic flow of this network is too large for a number; choose another criterion")
    return _arrays(weights, found)


def input_norms(subnetwork: Subnetwork, examples: Examples, *, device: Device = "auto") -> dict[str, np.ndarray]:
    """‖x‖₂ by weight, float32: of what the weight multiplies, over all examples and places.

    Raises:
        InputError: if the network does not fit the examples, or does with a weight what is no sum of products.
    """
    with _prepared(subnetwork, examples, device) as (population, weights, blocks):
        totals = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for x, _ in blocks():
            tape = record(population.module, (x,))
            for op in tape.ops:
                names = {origin for leaf in leaves((op.args, op.kwargs)) if (origin := tape.origin(leaf)) in totals}
                if names and op.name not in PRODUCTS:
                    raise InputError(
                        f"what {min(names)} multiplies cannot be told, as it enters {op.name}; choose another criterion"
                    )
                for name in names:
                    # The slope of a sum of products by a weight is what it multiplies: here squares of the inputs.
                    outputs = op.run(lambda number, values=tape.values: values[number].detach().square())
                    [square] = _gradient(torch.stack([out.sum() for out in outputs]).sum(), {name: weights[name]})
                    totals[name] += square
        return _arrays(weights, [total.sqrt() for total in totals.values()])


class _Unsaturated(TorchFunctionMode):
    """Activations that saturate pass on what they get."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if getattr(func, "__name__", "") in SATURATING else func(*args, **(kwargs or {}))


@contextmanager
def _prepared(
    subnetwork: Subnetwork, examples: Examples, device: Device
) -> Iterator[tuple[Population, Parameters, Callable[..., Iterator[tuple[Tensor, Tensor]]]]]:
    """The network, its weights with links, and what gives inputs and labels, so many at once as the memory holds."""
    source = Source(examples, find_device(device))
    with reproducible(source.device), torch.enable_grad():
        [planned] = plan([subnetwork], source.pair, int(examples.y.max()) + 1)
        population = planned.of([subnetwork], source.device)

        def blocks(at_once: int = planned.block) -> Iterator[tuple[Tensor, Tensor]]:
            for some in torch.arange(len(examples), device=source.device).split(at_once):
                yield source.inputs(some), source.y[some]

        yield population, _weights(population.module, subnetwork), blocks


@contextmanager
def _loss(
    subnetwork: Subnetwork, examples: Examples, device: Device
) -> Iterator[tuple[Parameters, Callable[..., Iterator[Tensor]]]]:
    """The weights with links, and what gives the mean loss in parts that add up to it."""
    with _prepared(subnetwork, examples, device) as (population, weights, blocks):

        def parts(*at_once: int) -> Iterator[Tensor]:
            for x, y in blocks(*at_once):
                [outputs] = population.forward(x, shared=True)
                yield cross_entropy(outputs, y, reduction="sum") / len(examples)

        yield weights, parts


def _weights(module: nn.Module, subnetwork: Subnetwork) -> Parameters:
    return {name: module.get_parameter(name).requires_grad_() for name in subnetwork.masks}


def _gradient(value: Tensor, weights: Parameters, create_graph: bool = False) -> list[Tensor]:
    """Zeros for weights that the value does not depend on."""
    try:
        return list(
            torch.autograd.grad(
                value, list(weights.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
            )
        )
    except RuntimeError as problem:
        reason = str(problem).partition("\n")[0]
        raise InputError(
            f"the network has no gradient that this criterion needs ({reason}); choose one that needs none, such as"
            " magnitude"
        ) from problem


def _summed(found: Iterator[list[Tensor]]) -> list[Tensor]:
    total = [slope.detach() for slope in next(found)]
    for more in found:
        for sum_, slope in zip(total, more, strict=True):
            sum_ += slope.detach()
    return total


def _arrays(weights: Parameters, found: Sequence[Tensor]) -> dict[str, np.ndarray]:
    return {name: value.detach().cpu().numpy().copy() for name, value in zip(weights, found, strict=True)}
