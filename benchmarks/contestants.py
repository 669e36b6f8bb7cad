"""The contestants: each takes a problem and gives a function that trains from the start for a number of steps.

That function returns the mean minibatch loss and the weights of its first network. Imports are in the functions, so
that each contestant's process loads its own library only.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from problem import BATCH, LEARNING_RATE, Problem, mnist, recipe

Run = Callable[[int], tuple[float, dict[str, np.ndarray]]]
Contestant = Callable[[Problem, int, int], Run]
"""Takes the problem, the number of networks to train at once, and the number of threads."""


def sparse(problem: Problem, networks: int, threads: int) -> Run:
    from karikomi.engines import sparse

    def run(steps: int) -> tuple[float, dict[str, np.ndarray]]:
        trials = [problem.trial(number) for number in range(networks)]
        first, *_ = sparse.train(trials, mnist(), recipe(steps), threads=threads)
        return float(first.curve.train_loss[-1]), dict(first.final.weights)

    return run


def population(problem: Problem, networks: int, threads: int) -> Run:
    import torch

    from karikomi.engines import population

    torch.set_num_threads(threads)

    def run(steps: int) -> tuple[float, dict[str, np.ndarray]]:
        trials = [problem.trial(number) for number in range(networks)]
        first, *_ = population.train(trials, mnist(), recipe(steps), device="cpu")
        return float(first.curve.train_loss[-1]), dict(first.final.weights)

    return run


def torch_masks(problem: Problem, networks: int, threads: int) -> Run:
    from plain_torch import masks_of

    return _torch(problem, threads, masks_of(problem.subnetwork))


def torch_prune(problem: Problem, networks: int, threads: int) -> Run:
    return _torch(problem, threads, {}, reparametrized=True)


def _torch(problem: Problem, threads: int, masks: dict[str, Any], reparametrized: bool = False) -> Run:
    import torch
    from plain_torch import minibatch_losses, model_of, tensors
    from torch.nn.utils import prune

    torch.set_num_threads(threads)
    x, y = tensors(mnist().train)

    def run(steps: int) -> tuple[float, dict[str, np.ndarray]]:
        model, order = model_of(problem.subnetwork), torch.from_numpy(problem.order(0, steps))
        removed = {name: mask for name, mask in problem.subnetwork.masks.items() if reparametrized and not mask.all()}
        pruned = [(model.get_submodule(name.removesuffix(".weight")), mask) for name, mask in removed.items()]
        for layer, mask in pruned:
            prune.custom_from_mask(layer, "weight", torch.from_numpy(mask))
        total = torch.zeros(())
        for loss in minibatch_losses(model, masks, x, y, order, LEARNING_RATE):
            total += loss
        for layer, _ in pruned:
            prune.remove(layer, "weight")
        return float(total) / steps, {name: value.detach().numpy() for name, value in model.state_dict().items()}

    return run


def jax_scan(problem: Problem, networks: int, threads: int) -> Run:
    """One network, or several under ``vmap``; JAX's threads are limited from outside, by the process's cores."""
    import jax
    import jax.numpy as jnp

    train = mnist().train
    x, y = jnp.asarray(train.x.reshape(-1, 784) * np.float32(train.scale)), jnp.asarray(train.y)
    masks = {name: jnp.asarray(mask, "float32") for name, mask in problem.subnetwork.masks.items() if not mask.all()}
    layers = [name.removesuffix(".weight") for name in problem.subnetwork.masks]

    def loss_of(weights: dict[str, Any], indices: Any) -> Any:
        values = x[indices]
        for layer in layers:
            values = values @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
            values = values if layer == layers[-1] else jax.nn.relu(values)
        return -jnp.take_along_axis(jax.nn.log_softmax(values), y[indices][:, None], axis=1).mean()

    def step(state: Any, indices: Any) -> Any:
        weights, first, second, t = state
        loss, gradient = jax.value_and_grad(loss_of)(weights, indices)
        gradient = {name: value * masks[name] if name in masks else value for name, value in gradient.items()}
        t = t + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        # In float32, 1 − 0.999^t would lose digits at small t.
        rate, scale = -LEARNING_RATE / jnp.expm1(t * np.log(0.9)), -1 / jnp.expm1(t * np.log(0.999))
        update = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v * scale) + 1e-8), weights, first, second)
        return (update, first, second, t), loss

    def loop(weights: dict[str, Any], order: Any) -> Any:
        zero = jax.tree.map(jnp.zeros_like, weights)
        (weights, *_), losses = jax.lax.scan(step, (weights, zero, zero, jnp.float32(0)), order)
        return weights, losses.mean()

    trained = jax.jit(loop if networks == 1 else jax.vmap(loop))

    def run(steps: int) -> tuple[float, dict[str, np.ndarray]]:
        order = np.stack([problem.order(number, steps) for number in range(networks)]).reshape(-1, steps, BATCH)
        weights = {name: np.stack([value] * networks) for name, value in problem.subnetwork.weights.items()}
        if networks == 1:
            order, weights = order[0], dict(problem.subnetwork.weights)
        after, loss = jax.block_until_ready(trained(weights, order))
        one = {name: np.asarray(value if networks == 1 else value[0]) for name, value in after.items()}
        return float(np.ravel(loss)[0]), one

    return run
