"""Training and evaluation of stacked subnetworks."""

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from karikomi.data.dataset import Dataset, Examples
from karikomi.engines.contract import (
    Advance,
    Curve,
    Evaluation,
    Recipe,
    Trained,
    Trial,
)
from karikomi.engines.population.augmentation import check_augmentation
from karikomi.engines.population.optimizer import Optimizer, stacked
from karikomi.engines.population.planning import Planned, plan
from karikomi.engines.population.portions import SMALLEST, Learn, in_portions, set_threads
from karikomi.engines.population.rewiring import due, gradients_of_all_links, rewire
from karikomi.engines.population.source import Device, Source, find_device, reproducible
from karikomi.engines.population.stacking import Population, each_loss
from karikomi.engines.threads import share_threads
from karikomi.errors import InputError
from karikomi.networks.subnetwork import Subnetwork

ADVANCE_EVERY = 20


def train(
    trials: Sequence[Trial],
    data: Dataset,
    recipe: Recipe,
    advance: Advance | None = None,
    *,
    device: Device = "auto",
) -> list[Trained]:
    """Train every trial on its own minibatches of ``data.train``; results are in the order of ``trials``.

    Structures may differ. On a CPU as many are trained at once as PyTorch has threads, small ones stacked; on a GPU
    each is stacked with its own kind. ``Trained.seconds`` is the wall time of a population
    divided by its networks. A rerun of the same list on the same machine is bit-identical. The modules, PyTorch's
    random state and its gradient mode are left as they were.

    Raises:
        InputError: if a network does not fit the samples or the classes, its weights do not fit its module or are not
            finite, a split has an empty part, or the device is not there.
    """
    if any(len(trial.split.train) == 0 or len(trial.split.validation) == 0 for trial in trials):
        raise InputError("every split needs at least one training and one validation example")
    check_augmentation(recipe.augment, data.sample_shape)
    source = Source(data.train, find_device(device))
    # One population validates in one block length, and its optimizer counts its steps once.
    apart = [(len(trial.split.validation), _steps_before(trial)) for trial in trials]
    subnetworks = [trial.subnetwork for trial in trials]
    trained: dict[int, Trained] = {}
    with reproducible(source.device, recipe.precision):
        planned = plan(subnetworks, source.pair, data.classes, apart=apart, batch=recipe.batch)

        def job(one: Planned, report: Advance, stop: threading.Event) -> list[Trained]:
            with torch.enable_grad():  # each thread has a mode of its own
                population = one.of(subnetworks, source.device)
                some = [trials[i] for i in one.members]
                portions = min(torch.get_num_threads(), recipe.batch // SMALLEST) if one.portions else 1
                if portions < 2 or recipe.precision:
                    ways: AbstractContextManager[Learn] = nullcontext(_learner(population, recipe))
                else:
                    ways = in_portions(population, portions, recipe.label_smoothing)
                with ways as learn:
                    return _train_population(some, population, learn, source, recipe, one.block, report, stop)

        # A GPU is shared by stacking, and PyTorch's random numbers come from one generator for all threads.
        cuda = source.device.type == "cuda"
        alone = [one for one in planned if cuda or one.draws]
        beside = [one for one in planned if one not in alone]
        for some, at_once in ((alone, 1), (beside, len(beside))):
            for one, together in zip(some, share_threads(job, some, at_once, advance), strict=True):
                trained.update(zip(one.members, together, strict=True))
    return [trained[i] for i in range(len(trials))]


def evaluate(subnetworks: Sequence[Subnetwork], examples: Examples, *, device: Device = "auto") -> list[Evaluation]:
    """Loss and accuracy of every subnetwork on all of ``examples``, in evaluation mode; structures may differ.

    ``class_accuracy`` has one entry per output of the network.

    Raises:
        InputError: as :func:`train`, and if there are no examples.
    """
    if len(examples) == 0:
        raise InputError("there are no examples to evaluate on")
    source = Source(examples, find_device(device))
    everything = torch.arange(len(examples), device=source.device)
    evaluations: dict[int, Evaluation] = {}
    with reproducible(source.device):
        for planned in plan(subnetworks, source.pair, int(examples.y.max()) + 1):
            population = planned.of(subnetworks, source.device)
            loss, hits, outputs = _assess(population, source, everything, planned.block)
            labels = one_hot(source.y, outputs).double()
            by_class = (hits @ labels / labels.sum(0)).cpu().numpy()
            accuracy = hits.mean(1)
            for p, i in enumerate(planned.members):
                evaluations[i] = Evaluation(float(loss[p]), float(accuracy[p]), by_class[p].copy())
    return [evaluations[i] for i in range(len(subnetworks))]


def _train_population(
    trials: Sequence[Trial],
    population: Population,
    learn: Learn,
    source: Source,
    recipe: Recipe,
    block: int,
    report: Advance,
    stop: threading.Event,
) -> list[Trained]:
    began = time.perf_counter()
    _seed_dropout(trials, source.device)
    optimizer, costs = Optimizer(recipe, trials, population), stacked([trial.link_cost for trial in trials], population)
    population.freeze(stacked([trial.frozen for trial in trials], population))
    batches = source.minibatches(trials, recipe)
    validation = _Validation(population, source, [trial.split.validation for trial in trials], block)
    validations = set(recipe.validations())
    snapshots = {0: (population.clone(), list(population.members))} if 0 in recipe.snapshots else {}
    train_losses: list[Tensor] = []
    population.module.train()
    for iteration, ((x, y), rate) in enumerate(zip(batches, recipe.rates.tolist(), strict=True), start=1):
        losses = learn(x, y)
        changing = due(trials, iteration)
        gradients = gradients_of_all_links(population) if changing else {}
        population.charge(costs)
        population.mask_gradients()
        if recipe.clip is not None:
            population.clip_gradients(recipe.clip)
        optimizer.step(rate)
        population.restore_frozen()
        train_losses.append(losses)
        if iteration in recipe.snapshots:
            snapshots[iteration] = population.clone(), list(population.members)
        if iteration in validations:
            validation.record(iteration, torch.stack(train_losses))
            train_losses.clear()
        rewire(population, optimizer, trials, changing, iteration, gradients)
        if iteration % ADVANCE_EVERY == 0 or iteration == recipe.iterations:
            report(len(trials) * ((iteration - 1) % ADVANCE_EVERY + 1))
            if stop.is_set():
                raise InterruptedError
    best = population.unstack(validation.best, validation.best_members)
    final = population.unstack(population.state, population.members)
    kept = {at: population.unstack(*state) for at, state in snapshots.items()}
    stops, curves = validation.early_stop.tolist(), validation.curves()
    states = optimizer.states(_steps_before(trials[0]) + recipe.iterations)
    seconds = (time.perf_counter() - began) / len(trials)
    return [
        Trained(best[p], final[p], at, states[p], stops[p], curves[p], seconds)
        for p, at in enumerate({at: networks[p] for at, networks in kept.items()} for p in range(len(trials)))
    ]


def _learner(population: Population, recipe: Recipe) -> Learn:
    bf16 = recipe.precision == "bf16"
    precision = torch.autocast(population.device.type, torch.bfloat16) if bf16 else nullcontext()
    return partial(population.learn, smoothing=recipe.label_smoothing, precision=precision)


class _Validation:
    """What validation sees of a population, and each network's weights at its first minimum of the loss."""

    best: dict[str, Tensor]
    best_members: list[Subnetwork]
    lowest: Tensor
    early_stop: Tensor

    def __init__(self, population: Population, source: Source, held_back: Sequence[np.ndarray], block: int) -> None:
        self.population, self.source, self.block = population, source, block
        self.threads = torch.get_num_threads()
        self.held_back = torch.from_numpy(np.stack(held_back)).to(source.device)
        self.iterations: list[int] = []
        self.rows: list[Tensor] = []

    def record(self, iteration: int, train_losses: Tensor) -> None:
        """``train_losses`` ``[iterations, P]`` are those of the minibatches since the last record."""
        # A running sum adds in the order of the steps.
        train_loss = train_losses.view(-1, len(self.population)).double().cumsum(0)[-1] / len(train_losses)
        set_threads(self.threads)
        loss, hits, _ = _assess(self.population, self.source, self.held_back, self.block)
        self.population.module.train()
        self.iterations.append(iteration)
        self.rows.append(torch.stack([train_loss, loss, hits.mean(1)]))
        if len(self.rows) == 1:
            self.best, self.lowest = self.population.clone(), loss
            self.best_members = list(self.population.members)
            self.early_stop = torch.full_like(loss, iteration, dtype=torch.int64)
            return
        better = (loss < self.lowest) | (self.lowest.isnan() & ~loss.isnan())
        self.lowest = torch.where(better, loss, self.lowest)
        self.early_stop[better] = iteration
        if better.any():
            for name, value in self.population.state.items():
                self.best[name][better] = value[better]
            for p in better.nonzero().flatten().tolist():
                self.best_members[p] = self.population.members[p]

    def curves(self) -> list[Curve]:
        values = torch.stack(self.rows, dim=-1).cpu().numpy()
        return [Curve(np.array(self.iterations), *values[:, p].copy()) for p in range(len(self.population))]


@torch.no_grad()
def _assess(population: Population, source: Source, indices: Tensor, block: int) -> tuple[Tensor, Tensor, int]:
    """Mean loss ``[P]``, hits 0 or 1 ``[P, n]`` and the number of outputs, in evaluation mode.

    ``indices`` are ``[n]``, shared by all networks, or ``[P, n]``.
    """
    population.module.eval()
    losses, hits, outputs = [], [], 0
    for some in indices.split(block, dim=-1):
        logits = population.forward(source.inputs(some), shared=indices.ndim == 1)
        labels = source.y[some].expand(len(population), -1)
        losses.append(each_loss(logits, labels))
        hits.append(logits.argmax(-1) == labels)
        outputs = logits.shape[-1]
    return torch.cat(losses, 1).double().mean(1), torch.cat(hits, 1).double(), outputs


def _steps_before(trial: Trial) -> int:
    return 0 if trial.state is None else trial.state.steps


def _seed_dropout(trials: Sequence[Trial], device: torch.device) -> None:
    """From the trials' own streams, so that the same population draws the same again."""
    entropy = [int(word) for trial in trials for word in (trial.dropout or trial.order).generate_state(2)]
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
