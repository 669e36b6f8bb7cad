"""A model of yours, opened: what is removed from it as one, and where lesions are computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from karikomi import seeds
from karikomi.data.dataset import Examples
from karikomi.engines.choice import choose
from karikomi.engines.contract import Engine, Outcomes
from karikomi.engines.lesion_input import AblationKind, ablation_by
from karikomi.engines.population.given import subject_of
from karikomi.engines.population.labels import Scoring
from karikomi.engines.population.lesions import along
from karikomi.engines.population.subject import Subject
from karikomi.errors import InputError, unknown
from karikomi.networks.detection import Kind
from karikomi.networks.layers import check_numbers
from karikomi.networks.subnetwork import Subnetwork
from karikomi.networks.tape import unwrapped

Group = Literal["all", "neurons", "channels", "heads", "recurrent", "embedding", "layers", "branches"]
Units = Sequence[int] | Group


@dataclass(frozen=True)
class Opened:
    """A model with examples, and what is removed from it: units, or groups of them.

    Attributes:
        backend: where lesions are computed: a perceptron's engine, or any model's subject.
        players: the unit numbers of everything that is removed as one.
        places: columns that say what that is.
        by_class: whether accuracy is told by class.
        task: what is scored.
    """

    backend: "Perceptron | AnyModel"
    players: list[np.ndarray]
    places: dict[str, Any]
    by_class: bool
    task: str

    def without(self, groups: Sequence[np.ndarray]) -> Outcomes:
        """The whole model, then the model without each of the groups."""
        return self.backend.without(groups)

    def along(self, orders: np.ndarray) -> Outcomes:
        """The model along orders of players, ``[orders, steps]``."""
        return self.backend.along(orders, self.players)

    def told(self, table: pd.DataFrame) -> pd.DataFrame:
        table.attrs["task"] = self.task
        return table


class Perceptron:
    """A multilayer perceptron that classifies: its own engine, exact in every answer."""

    def __init__(self, subnetwork: Subnetwork, examples: Examples, engine: Engine, ablation: AblationKind) -> None:
        self.subnetwork, self.examples, self.engine = subnetwork, examples, engine

        def means() -> np.ndarray:
            return engine.activations(subnetwork, examples).activation.mean(axis=1)

        self.ablation = ablation_by(ablation, means, len(examples), seeds.stream(0, "lesions"))

    def without(self, groups: Sequence[np.ndarray]) -> Outcomes:
        units = np.concatenate(groups)
        return self.engine.knock_out(self.subnetwork, self.examples, self.ablation, units)

    def along(self, orders: np.ndarray, players: Sequence[np.ndarray]) -> Outcomes:
        units = np.concatenate(players)
        return self.engine.remove_in_order(self.subnetwork, units[orders], self.examples, self.ablation)


class AnyModel:
    """Any model."""

    def __init__(self, subject: Subject, ablation: AblationKind) -> None:
        if ablation not in get_args(AblationKind):
            raise unknown("ablation", ablation, get_args(AblationKind))
        self.subject = subject.resampled() if ablation == "resample" else subject
        self.means = subject.means() if ablation == "mean" else None

    def without(self, groups: Sequence[np.ndarray]) -> Outcomes:
        gone = np.zeros((1 + len(groups), self.subject.units), bool)
        for row, group in enumerate(groups, start=1):
            gone[row, group] = True
        return self.subject.outcomes(gone, self.means)

    def along(self, orders: np.ndarray, players: Sequence[np.ndarray]) -> Outcomes:
        return along(self.subject, orders, self.means, players=players)


def opened(model: nn.Module, x: Any, y: Any, units: Units | None, ablation: AblationKind, scoring: Scoring) -> Opened:
    unwrapped(model)  # which refuses what is no model
    perceptron = _perceptron(model, x, y, units, scoring)
    if perceptron is not None:
        backend = Perceptron(*perceptron, ablation)
        layers: dict[str, int] = perceptron[0].architecture.hidden_units
        players, places = _single(layers, units)
        return Opened(backend, players, places, True, "multiclass")
    subject = subject_of(model, x, y, scoring)
    players, places = _chosen(subject, units)
    name = subject.task.name + ("" if scoring.task or scoring.loss else " (guessed)")
    return Opened(AnyModel(subject, ablation), players, places, subject.task.by_class, name)


def _perceptron(
    model: nn.Module, x: Any, y: Any, units: Units | None, scoring: Scoring
) -> tuple[Subnetwork, Examples, Engine] | None:
    """The model for the engine of perceptrons; None for any other model, task or form of inputs."""
    arrays = all(isinstance(one, Tensor | np.ndarray) for one in (x, y))
    classifies = (
        scoring.loss is None
        and scoring.metric is None
        and scoring.task in (None, "multiclass")
        and not isinstance(units, str)
    )
    names = {name for part in model.modules() for name, _ in part.named_parameters(recurse=False)}
    plain = names and names <= {"weight", "bias"} and all(value.dtype == torch.float32 for value in model.parameters())
    if not arrays or not classifies or not plain or unwrapped(model) is not model:
        return None
    x, y = (one.detach().float() if getattr(one, "dtype", None) == torch.bfloat16 else one for one in (x, y))
    x, y = (one.detach().cpu().numpy() if isinstance(one, Tensor) else one for one in (x, y))
    if y.ndim != 1 or y.dtype.kind not in "iu":
        return None
    subnetwork = Subnetwork.from_module(model)
    architecture = subnetwork.architecture
    if architecture.perceptron is None or not architecture.hidden or architecture.outputs[0].units < 2:
        return None
    return subnetwork, Examples.from_arrays(x, y), choose("auto", architecture)


def _chosen(subject: Subject, units: Units | None) -> tuple[list[np.ndarray], dict[str, Any]]:
    """What is removed as one, and the columns that name it."""
    layers = {part.name: part.units for part in subject.parts}
    if not isinstance(units, str) or units == "all":
        return _single(layers, None if isinstance(units, str) else units)
    if units not in get_args(Group):
        raise unknown("kind of unit", units, get_args(Group))
    numbers = np.split(np.arange(subject.units), np.cumsum(list(layers.values()))[:-1])
    if units in get_args(Kind):
        chosen = [n for part, n in zip(subject.parts, numbers, strict=True) if part.kind == units]
        if not chosen:
            kinds = ", ".join(dict.fromkeys(part.kind for part in subject.parts))
            raise InputError(f"the model has no {units}; it has {kinds}")
        return _single(layers, np.concatenate(chosen))
    branches = units == "branches"
    parts = [
        (part, n) for part, n in zip(subject.parts, numbers, strict=True) if not branches or subject.is_branch(part)
    ]
    if not parts:
        raise InputError("the model has no residual branches")
    missing = pd.array([pd.NA] * len(parts), dtype="Int64")
    return [n for _, n in parts], {"unit": missing, "layer": [part.name for part, _ in parts], "index": missing}


def _single(layers: dict[str, int], units: Any) -> tuple[list[np.ndarray], dict[str, Any]]:
    total = sum(layers.values())
    numbers = np.arange(total) if units is None else check_numbers(np.asarray(units), total)
    ends = np.cumsum(list(layers.values()))
    layer = np.searchsorted(ends, numbers, side="right")
    names, firsts = np.array(list(layers), object), ends - list(layers.values())
    return list(numbers[:, None]), {"unit": numbers, "layer": names[layer], "index": numbers - firsts[layer]}
