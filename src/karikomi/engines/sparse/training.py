"""Training and evaluation of perceptrons and convolutional networks: one network per core, surviving links only.

Convolutional networks that are fewer than the cores take several each.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from karikomi.data.dataset import Dataset, Examples
from karikomi.engines.contract import (
    Advance,
    Curve,
    Evaluation,
    OptimizerState,
    Recipe,
    Trained,
    Trial,
    stacked_minibatches,
)
from karikomi.engines.sparse.flow_layout import lay_out_flow
from karikomi.engines.sparse.input import check, nonzero_fraction, source_of
from karikomi.engines.sparse.kernels.flow import Flow
from karikomi.engines.sparse.kernels.gather import Source
from karikomi.engines.sparse.kernels.layout import Network, Place, aligned, lay_out
from karikomi.engines.sparse.kernels.optimizer import Optimizer
from karikomi.engines.sparse.kernels.vector import LANES
from karikomi.engines.sparse.rewiring import Places, Rewired
from karikomi.engines.sparse.together import Cores, evaluate_together, run_sharing, train_together
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Arrays, Subnetwork

# Steps in one call of the kernels, at most: how long Ctrl-C may have to wait.
_CHUNK = 250


def train(
    trials: Sequence[Trial],
    data: Dataset,
    recipe: Recipe,
    advance: Advance | None = None,
    *,
    threads: int | None = None,
) -> list[Trained]:
    """Train every trial, ``threads`` at a time (None: see ``machine.threads``).

    The results are the same, bit for bit, for any number of threads and whatever the other trials are.

    Raises:
        InputError: if a network is not of the supported kind or does not fit the data, or the recipe has ``extras``.
    """
    if recipe.extras:
        raise InputError(f"the sparse engine does not know {', '.join(recipe.extras)}; use the engine population")
    for trial in trials:
        check(trial.subnetwork, data.train)
    source, nonzero = source_of(data.train), nonzero_fraction(data.train)

    def job(trial: Trial, report: Advance, stop: threading.Event, cores: Cores) -> Trained:
        return _train(trial, source, nonzero, recipe, report, stop, cores)

    return run_sharing(job, trials, threads, advance)


def evaluate(subnetworks: Sequence[Subnetwork], examples: Examples, *, threads: int | None = None) -> list[Evaluation]:
    """Loss and accuracy of every subnetwork on ``examples``, ``threads`` at a time (None: see ``machine.threads``).

    Raises:
        InputError: if a network is not of the supported kind or does not fit the data.
    """
    for subnetwork in subnetworks:
        check(subnetwork, examples)
    source, nonzero = source_of(examples), nonzero_fraction(examples)
    everything = _alike_together(source, np.arange(len(examples)))

    def job(subnetwork: Subnetwork, report: Advance, stop: threading.Event, cores: Cores) -> Evaluation:
        played, _ = _laid_out(subnetwork, nonzero, LANES, keep_idle=False, backward=False)
        return _evaluate(played, source, everything, cores)

    return run_sharing(job, subnetworks, threads, None)


def _train(
    trial: Trial,
    source: Source,
    nonzero: np.ndarray,
    recipe: Recipe,
    report: Advance,
    stop: threading.Event,
    cores: Cores,
) -> Trained:
    began = time.perf_counter()
    # Weight decay, costs and earlier moments move even the weights of units that no output depends on.
    rewiring = trial.rewiring
    moved = recipe.weight_decay > 0 or trial.state is not None or trial.link_cost is not None
    played, laid = _laid_out(trial.subnetwork, nonzero, recipe.batch, keep_idle=moved, rewired=rewiring is not None)
    network = played.network if isinstance(played, Flow) else played
    if isinstance(played, Flow):
        played.drawn[0] = (trial.dropout or trial.order).generate_state(1, np.uint64).view(np.int64)[0]
    optimizer = optimizer_of(recipe, network)
    taken = 0 if trial.state is None else trial.state.steps
    if trial.state is not None:
        _fill(optimizer.first, laid, trial.state.first)
        _fill(optimizer.second, laid, trial.state.second if optimizer.adam else {})
    by_link = {"cost": trial.link_cost, "frozen": trial.frozen}
    by_link = {name: arrays for name, arrays in by_link.items() if arrays is not None}
    optimizer = optimizer._replace(**{name: aligned(network.parameters.size) for name in by_link})
    for name, arrays in by_link.items():
        _fill(getattr(optimizer, name), laid, arrays)
    rewired = Rewired(rewiring, trial.subnetwork, network, optimizer, laid, recipe.batch) if rewiring else None
    places: Places = lambda: laid  # noqa: E731
    goals = _goals(trial, recipe)
    orders = stacked_minibatches(trial, recipe.batch, np.diff(goals, prepend=0))
    validations, validation = recipe.validations(), _alike_together(source, trial.split.validation)
    best = network.parameters.copy(), places, 0
    snapshots: dict[int, tuple[np.ndarray, Places, int]] = {0: best} if 0 in recipe.snapshots else {}
    curve: list[tuple[int, float, float, float]] = []
    lowest, early_stop, done, since, loss = np.inf, 0, 0, 0, 0.0
    for goal, order in zip(goals, orders, strict=True):
        loss += train_together(cores, source, order, played, optimizer, done, taken + done)
        report(goal - done)
        done = goal
        if stop.is_set():
            raise InterruptedError
        due = rewired if rewired and done in rewired.rewiring.steps else None
        if due:
            due.choose(done)  # before validation takes the minibatch's place
        if done in recipe.snapshots:
            snapshots[done] = network.parameters.copy(), places, done
        if done == validations[len(curve)]:
            seen = _evaluate(played, source, validation, cores)
            curve.append((done, loss / (done - since), seen.loss, seen.accuracy))
            since, loss = done, 0.0
            if early_stop == 0 or seen.loss < lowest:
                lowest, early_stop = (np.inf if np.isnan(seen.loss) else seen.loss), done
                best = network.parameters.copy(), places, done
        if due:
            places = due.change()
            for name, arrays in by_link.items():
                getattr(optimizer, name)[:] = 0
                _fill(getattr(optimizer, name), places(), arrays)
    iteration, train_loss, validation_loss, accuracy = (np.array(column) for column in zip(*curve, strict=True))
    return Trained(
        best=_restored(trial, *best),
        final=_restored(trial, network.parameters, places, done),
        snapshots={at: _restored(trial, *then) for at, then in snapshots.items()},
        state=OptimizerState(
            taken + done,
            *(_spread(trial.subnetwork, places(), moment) for moment in (optimizer.first, optimizer.second)),
        ),
        early_stop_iteration=early_stop,
        curve=Curve(iteration, train_loss, validation_loss, accuracy),
        seconds=time.perf_counter() - began,
    )


def _goals(trial: Trial, recipe: Recipe) -> list[int]:
    """After which iterations the kernels hand back: at validations, snapshots and changes, and often enough."""
    changes = trial.rewiring.steps if trial.rewiring else range(0)
    often = range(_CHUNK, recipe.iterations, _CHUNK)
    goals = {*recipe.validations(), *recipe.snapshots, *(step for step in changes if step <= recipe.iterations), *often}
    return sorted(goals - {0})


def optimizer_of(recipe: Recipe, network: Network) -> Optimizer:
    adam, size = recipe.optimizer in ("adam", "adamw"), network.parameters.size
    return Optimizer(
        adam,
        recipe.optimizer == "adamw",
        recipe.optimizer == "nesterov",
        recipe.rates.copy(),
        recipe.momentum,
        recipe.weight_decay,
        first=aligned(size),
        second=aligned(size if adam else 0),
        gradient=aligned(2 * network.longest),
        cost=aligned(0),
        frozen=aligned(0),
    )


def _laid_out(
    subnetwork: Subnetwork, nonzero: np.ndarray, batch: int, *, backward: bool = True, **settings: bool
) -> tuple[Network | Flow, dict[str, Place]]:
    if subnetwork.architecture.perceptron is None:
        return lay_out_flow(subnetwork, batch, backward=backward)
    return lay_out(subnetwork, nonzero, batch, backward=backward, **settings)  # type: ignore[call-arg]


def _evaluate(played: Network | Flow, source: Source, examples: np.ndarray, cores: Cores) -> Evaluation:
    network = played.network if isinstance(played, Flow) else played
    classes = int(network.layers[-1]["outputs"])
    correct = np.zeros(classes, np.int64)
    loss = evaluate_together(cores, source, examples, played, correct) / len(examples)
    present = np.bincount(source.labels[examples], minlength=classes)
    with np.errstate(invalid="ignore"):
        return Evaluation(loss, float(correct.sum() / len(examples)), correct / present)


def _fill(values: np.ndarray, places: dict[str, Place], arrays: Arrays) -> None:
    for name in places.keys() & arrays.keys():
        values[places[name].positions] = arrays[name].ravel()[places[name].elements]


def _spread(subnetwork: Subnetwork, places: dict[str, Place], values: np.ndarray) -> dict[str, np.ndarray]:
    """An array for every parameter, 0 where ``values`` has nothing for it."""
    buffers = {name for name, _ in subnetwork.module.named_buffers()}
    arrays = {
        name: np.zeros(weight.shape, np.float32) for name, weight in subnetwork.weights.items() if name not in buffers
    }
    for name, place in places.items() if values.size else ():
        if name in buffers:
            continue
        arrays[name].ravel()[place.elements] = values[place.positions]
    return arrays


def _restored(trial: Trial, parameters: np.ndarray, places: Places, steps: int) -> Subnetwork:
    """The network with these parameters after so many steps, and if its links change with those that are there."""
    network = trial.subnetwork
    # Whole numbers count the updates of running statistics.
    weights = {
        name: weight + steps if weight.dtype.kind == "i" else np.array(weight, np.float32, order="C")
        for name, weight in network.weights.items()
    }
    masks = {name: np.array(mask) for name, mask in network.masks.items()}
    for name, place in places().items():
        weights[name].ravel()[place.elements] = parameters[place.positions]
        if trial.rewiring and name in masks:
            masks[name] = np.zeros(masks[name].shape, bool)
            masks[name].ravel()[place.elements] = True
    return replace(network, weights=weights).masked(masks)


def _alike_together(source: Source, examples: np.ndarray) -> np.ndarray:
    """The examples ordered by class: of MNIST's pixels 53 % are then not 0 somewhere in a block, instead of 62 %."""
    return examples[np.argsort(source.labels[examples], kind="stable")].astype(np.int64)
