"""A model under study: its anatomy, its task, and the examples, a batch at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from karikomi import seeds
from karikomi.engines.contract import Activations, Advance, Outcomes
from karikomi.engines.population.tasks import Score, Task
from karikomi.errors import InputError
from karikomi.networks.anatomy import Anatomy
from karikomi.networks.cuts import Cuts, Instead, by_unit, spread
from karikomi.networks.parts import Part
from karikomi.networks.tape import Tape, record

BLOCK_BYTES = 2**27
"""What the signals of a batch may take, about; larger batches are taken in pieces."""

CACHED_BYTES = 2**21
"""What the largest signal of a batch may take on a CPU, about, so that a lesion stays in the cache of a core."""


class Batch(NamedTuple):
    """Inputs in order and by name, labels, and for resampling inputs of other examples, one for each."""

    inputs: tuple[Any, ...]
    named: Mapping[str, Any]
    y: Tensor
    donors: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Subject:
    """A model with examples.

    Attributes:
        module: the model, as it is; only its mode changes for a while.
        anatomy: that of the model, or of one that is built alike.
        parts: the layers whose units are numbered through.
        task: how outputs are scored.
        result: the number of the value that is scored.
        batches: gives the examples, again whenever it is called.
        count: how many examples there are; 0 if that is not known.
    """

    module: nn.Module
    anatomy: Anatomy
    parts: Sequence[Part]
    task: Task
    result: int
    batches: Callable[[], Iterator[Batch]]
    count: int = 0

    @cached_property
    def cuts(self) -> Cuts:
        return Cuts(self.anatomy, self.parts)

    @property
    def units(self) -> int:
        """How many units are numbered through."""
        return self.cuts.units

    @cached_property
    def block(self) -> int:
        """How many examples are taken at once."""
        values = self.anatomy.tape.values
        room = 3 * BLOCK_BYTES // sum(value.nbytes for value in values)
        if values[self.result].device.type == "cpu":
            room = min(room, 3 * CACHED_BYTES // max(value.nbytes for value in values))
        return max(1, room)

    @torch.no_grad()
    def outcomes(
        self, lesions: np.ndarray, means: np.ndarray | None = None, advance: Advance | None = None
    ) -> Outcomes:
        """What is left with each of ``lesions``, bool ``[lesions, units]``, True for what is gone.

        The first one is that of nothing; ``advance`` hears of the others.
        """
        self._check_replacement(means)
        seen = told = 0
        loss = np.zeros(len(lesions))
        correct, present, count = np.zeros((len(lesions), self.task.classes)), np.zeros(self.task.classes), 0
        for batch, tape in self.tapes():
            instead = self._instead(batch, tape, means)

            def scored(gone: np.ndarray, batch: Batch = batch, tape: Tape = tape, instead: Instead = instead) -> Score:
                with torch.no_grad():
                    return self.task.score(self.cuts.without(tape, gone, instead, self.result), batch.y)

            for row, score in enumerate(in_parallel(scored, lesions, tape.values[self.result].device)):
                loss[row] += float(score.loss)
                correct[row] += score.correct.cpu().numpy()
                if advance and self.count:
                    done = int((len(lesions) - 1) * (seen + len(batch.y) * (row + 1) / len(lesions)) / self.count)
                    advance(done - told)
                    told = done
            seen += len(batch.y)
            whole = self.task.score(tape.values[self.result], batch.y)
            present, count = present + whole.present.cpu().numpy(), count + whole.examples
        if count == 0:
            raise InputError("there are no examples to evaluate on")
        return Outcomes(loss / count, correct.astype(np.int64), present.astype(np.int64))

    @torch.no_grad()
    def activations(self) -> Activations:
        """What every unit does on every example."""
        before, after = [], []
        for _, tape in self.tapes():
            before.append([self._observed(part, tape, part.bends) for part in self.parts])
            after.append([self._observed(part, tape, part.sites) for part in self.parts])
        return Activations(_units_first(before), _units_first(after))

    @torch.no_grad()
    def means(self) -> np.ndarray:
        """What every unit does where it acts, the mean over all examples: float64 ``[units]``."""
        total, count = torch.zeros(self.units, dtype=torch.float64), 0
        for batch, tape in self.tapes():
            observed = torch.cat([self._observed(part, tape, part.sites) for part in self.parts], 1)
            total, count = total + observed.double().sum(0).cpu(), count + len(batch.y)
        return (total / count).numpy()

    def attributions(self) -> np.ndarray:
        """Σ a · ∂L/∂a of every unit on every example, over the places where it acts."""
        found = []
        for batch, tape in self.tapes():
            found.append(self._attributed(batch, tape))
        return _units_first(found)

    def resampled(self) -> "Subject":
        """The same, with another example for each one, whose activations removed units can show."""

        def batches() -> Iterator[Batch]:
            rng = seeds.stream(0, "lesions")
            for batch in self.batches():
                other = torch.from_numpy(rng.permutation(len(batch.y)))
                yield batch._replace(donors=_picked(batch, other, len(batch.y))[0])

        return replace(self, batches=batches)

    def is_branch(self, part: Part) -> bool:
        """Whether all that the units of a layer do is to add to another signal."""
        readers = {self.anatomy.tape.ops[place].name for site in part.sites for place in site.readers}
        return bool(readers) and readers <= {"add", "add_", "__radd__", "__add__", "__iadd__"}

    def tapes(self) -> Iterator[tuple[Batch, Tape]]:
        """Every batch, in pieces of at most ``block`` examples, with the forward on it."""
        for whole in self.batches():
            many = len(whole.y)
            for start in range(0, many, self.block):
                end = min(many, start + self.block)
                batch = whole if end - start == many else _piece(whole, start, end)
                yield batch, self._record(batch.inputs, batch.named)

    @cached_property
    def takes_channels_last(self) -> bool:
        """Whether images may lie in memory with channels last, which convolutions on CPUs are faster with."""
        tape = self.anatomy.tape
        images = [tape.values[number] for number in tape.inputs]
        if not all(image.ndim == 4 and image.device.type == "cpu" for image in images) or self.anatomy.by_name:
            return False
        try:
            with torch.no_grad():
                record(self.module, tuple(map(_channels_last, images)))
        except InputError:  # a view of what does not lie in a row
            return False
        return True

    def _record(self, inputs: tuple[Any, ...], named: Mapping[str, Any]) -> Tape:
        if self.takes_channels_last:
            inputs = tuple(map(_channels_last, inputs))
        with torch.no_grad():
            tape = record(self.module, inputs, named)
        if [op.name for op in tape.ops] != [op.name for op in self.anatomy.tape.ops]:
            raise InputError("the forward takes another course on these inputs; its units cannot be followed")
        return tape

    def _check_replacement(self, means: np.ndarray | None) -> None:
        for part in self.parts if means is not None else ():
            if part.recurrent or len(part.sites) > 1:
                raise InputError(f"the units of {part.name} act in several places, which have no one mean; take zero")

    def _instead(self, batch: Batch, tape: Tape, means: np.ndarray | None) -> Instead:
        if batch.donors is not None:
            other = self._record(batch.donors, batch.named)
            if any(part.recurrent for part in self.parts):
                raise InputError("what a recurrent unit does cannot be replaced by another example's; take zero")
            return {site.value: other.values[site.value] for part in self.parts for site in part.sites}
        if means is None:
            return {}
        instead = {}
        for part, (start, end) in zip(self.parts, pairwise(self.cuts.bounds), strict=True):
            along = torch.cat([torch.from_numpy(np.asarray(means[start:end], np.float32)), torch.zeros(1)])
            for site in part.sites:
                signal = tape.values[site.value]
                mine = spread(site, along[site.units], signal).expand(signal.shape)
                others = instead.get(site.value, torch.zeros((), device=signal.device))
                instead[site.value] = torch.where(spread(site, site.units >= 0, signal), mine, others)
        return instead

    def _observed(self, part: Part, tape: Tape, sites: Sequence[Any]) -> Tensor:
        if not sites or (part.recurrent and bool((sites[0].units < 0).all())):
            raise InputError(f"what the units of {part.name} do cannot be observed inside the recurrent layer")
        return by_unit(sites[0], part.units, tape.values[sites[0].value], part.name).float().mean(2)

    def _attributed(self, batch: Batch, tape: Tape) -> list[Tensor]:
        sites = [(part, site) for part in self.parts for site in part.sites]
        with torch.enable_grad():
            extra = {site.value: torch.zeros_like(tape.values[site.value], requires_grad=True) for _, site in sites}
            values = list(tape.values)
            for number, zero in extra.items():
                values[number] = values[number] + zero
            for op in tape.ops:
                for number, value in zip(op.results, op.run(values.__getitem__) if op.results else (), strict=True):
                    values[number] = value + extra[number] if number in extra else value
            loss = self.task.score(values[self.result], batch.y).loss
            slopes = dict(zip(extra, torch.autograd.grad(loss, list(extra.values()), allow_unused=True), strict=True))
        found = []
        for part in self.parts:
            products = [
                by_unit(site, part.units, tape.values[site.value] * slope, part.name).float().sum(2)
                for site in part.sites
                if (slope := slopes[site.value]) is not None
            ]
            found.append(torch.stack(products).sum(0))
        return found


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def in_parallel(scored: Callable[[np.ndarray], Score], lesions: np.ndarray, device: torch.device) -> Iterator[Score]:
    """What each lesion gives, in order: on CPUs as many lesions at once as there are threads, each on one."""
    threads = torch.get_num_threads()
    first = scored(lesions[0])  # what is shared is made by one thread
    yield first
    if device.type != "cpu" or threads == 1 or len(lesions) < 4 * threads:
        yield from map(scored, lesions[1:])
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(scored, lesions[1:])
    finally:
        torch.set_num_threads(threads)


def _piece(batch: Batch, start: int, end: int) -> Batch:
    chosen, many = slice(start, end), len(batch.y)
    donors = None if batch.donors is None else _picked(batch._replace(inputs=batch.donors), chosen, many)[0]
    return Batch(*_picked(batch, chosen, many), batch.y[chosen], donors)


def _picked(batch: Batch, chosen: Any, many: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Some of a batch's inputs."""

    def pick(given: Any) -> Any:
        return given[chosen] if isinstance(given, Tensor) and given.ndim and len(given) == many else given

    return tree_map(pick, batch.inputs), tree_map(pick, dict(batch.named))


def _units_first(found: Sequence[Sequence[Tensor]]) -> np.ndarray:
    """From batches of examples and layers ``[n, units]`` to ``[units, examples]``."""
    together = torch.cat([torch.cat([part.detach().cpu() for part in layers], 1) for layers in found])
    return np.ascontiguousarray(together.T.numpy())
