"""The settings of studies that begin with healthy networks."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from cyclopts import Group, Parameter
from pydantic import Field, field_validator, model_validator

from karikomi.errors import InputError
from karikomi.registry import Entry
from karikomi.removal.scores import unit_criterion
from karikomi.runs.files import read_arrays
from karikomi.studies.settings import ARCHITECTURE, INITIALIZATION, NETWORK, ONCE, START, Initialization, StudySettings
from karikomi.studies.training import TRAINING

if TYPE_CHECKING:
    from torch import nn

    from karikomi.data.dataset import Dataset

LESIONS = Parameter(group=Group("Lesions", sort_key=3))

QUICK: Mapping[str, Any] = {"network": "mlp-64-32", "iterations": 400, "validation": 2_000, "scoring": 2_000}
"""What the presets ``quick`` begin with."""

Null = Literal["shuffled", "rewired", "untrained"]
NULLS: Mapping[Null, str] = {
    "shuffled": "its weights, shuffled among the links of each layer",
    "rewired": "other links, in-degree, out-degree and in-strength of every unit kept",
    "untrained": "its initial weights",
}
"""Null networks of a trained one, and what they keep of it."""


def null_score(null: str, criterion: str) -> str:
    """What the scores of a null network are called."""
    return f"{null}/{criterion}"


def nulls_in_words(chosen: Sequence[Null]) -> str:
    """What the null networks of a run are, for the explanation of its answer; empty where there are none."""
    kinds = "; ".join(f"{name}, {NULLS[name]}" for name in chosen)
    return f" Null networks, one per replicate, are scored by the same criteria: {kinds}." if kinds else ""


class HealthySettings(StudySettings):
    """Settings of studies that begin with healthy networks."""

    network: Annotated[str, NETWORK] = Field(default="mlp-256-256", description=ARCHITECTURE)
    initialization: Annotated[Initialization, NETWORK] = Field(default="pytorch", description=INITIALIZATION)
    models: Annotated[tuple[str, ...], NETWORK, Parameter(alias="--weights")] = ()
    """Networks that are trained already, one per replicate: safetensors files with the weights of the network. Nothing
    is trained then."""
    models_sha256: Annotated[str, Parameter(parse=False)] = ""
    """What the models were when the run began; filled in by Karikomi."""
    iterations: Annotated[int, TRAINING] = Field(default=4000, ge=1)
    """Training steps (minibatches) of every network."""
    batch: Annotated[int, TRAINING] = Field(default=64, ge=1)
    """Examples in a minibatch."""
    learning_rate: Annotated[float, TRAINING] = Field(default=1e-3, gt=0, lt=100)
    """Step size of the optimizer."""
    scoring: Annotated[int, LESIONS] = Field(default=10_000, ge=2)
    """Training examples on which units are scored, at most; the test set only measures lesions."""
    ablation: Annotated[Literal["zero", "mean", "resample"], LESIONS] = "zero"
    """What takes the place of a removed unit's activation: nothing; its mean over the scoring examples; or what it does
    on another example of the test set."""

    @property
    def trains(self) -> bool:
        """Whether healthy networks are trained, not given."""
        return not self.models_sha256

    @model_validator(mode="before")
    @classmethod
    def _one_model_per_replicate(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not given.get("models"):
            return given
        return {"replicates": len(given["models"]), **given}

    @model_validator(mode="after")
    def _as_many_as_models(self) -> Self:
        if self.models:
            self._refuse_other_than(len(self.models))
        return self

    @property
    def scored_by(self) -> tuple[str, ...]:
        """The criteria for units that the study uses."""
        return ()

    def registered(self, data: str | None) -> Iterator[Entry]:
        yield from super().registered(data)
        yield from map(unit_criterion, self.scored_by)

    def _refuse_other_than(self, models: int) -> None:
        if self.replicates != models:
            raise InputError(
                f"every model is a replicate: replicates must be {models} or left out; it is {self.replicates}"
            )

    def fingerprinted(self, data: Dataset | None, models: Sequence[nn.Module]) -> Self:
        settings = super().fingerprinted(data, models)
        if models:
            self._refuse_other_than(len(models))
            weights = [{name: value.numpy(force=True) for name, value in m.state_dict().items()} for m in models]
        else:
            weights = [read_arrays(Path(path))[0] for path in self.models]
        return settings.changed(models_sha256=_digest(weights)) if weights else settings


class ScoringSettings(HealthySettings):
    """Settings of studies that ask what the scores of units predict."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"full": {}, "quick": QUICK}
    SCORES: ClassVar[tuple[str, ...]] = ("criteria",)

    preset: Annotated[Literal["full", "quick"], START] = Field(default="full", exclude=True)
    """Start from these settings. full: the study itself; quick: a small network, in seconds."""
    criteria: tuple[str, ...]
    null: Annotated[tuple[Null, ...], ONCE, LESIONS] = Field(
        default=(),
        description="Null networks, scored by the same criteria: what do scores of the trained network predict beyond"
        f" theirs? {'; '.join(f'{name}: {kept}' for name, kept in NULLS.items())}.",
    )

    @property
    def scored_by(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for setting in self.SCORES for name in getattr(self, setting)))

    @property
    def asked_for(self) -> set[str]:
        """The criteria of lists that are not those of a default or a preset."""
        return {name for setting in self.SCORES if not self._is_default(setting) for name in getattr(self, setting)}

    def _is_default(self, setting: str) -> bool:
        presets = (preset.get(setting) for preset in self.PRESETS.values())
        return getattr(self, setting) in (type(self).model_fields[setting].default, *presets)

    def without(self, left_out: Collection[str]) -> Self:
        """The same settings without some of the criteria."""
        kept = {name: [each for each in getattr(self, name) if each not in left_out] for name in self.SCORES}
        return self.changed(**kept)

    @field_validator("criteria", "given", check_fields=False)
    @classmethod
    def _known_criteria(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            unit_criterion(name)
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _untrained_is_known(self) -> Self:
        if "untrained" in self.null and (self.models or not self.trains):
            raise InputError("null untrained needs networks that are trained here; of models it is not known")
        return self


def _digest(models: Sequence[Mapping[str, Any]]) -> str:
    digest = hashlib.sha256()
    for weights in models:
        for name, array in sorted(weights.items()):
            digest.update(f"{name}{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
