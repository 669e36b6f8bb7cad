"""What the settings of all studies have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from karikomi.errors import InputError, unknown

SCHEMA = 1
"""Part of every run's identity: raise it when the same settings come to mean another experiment."""


class StudySettings(BaseModel):
    """Settings that every study has. Frozen; an unknown name is an error.

    ``PRESETS`` maps a preset's name to the settings it changes; what is given beside a preset overrides it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"": {}}

    data: str = Field("mnist", description="Data set: mnist, or an .npz file with x_train, y_train, x_test, y_test.")
    data_sha256: str = Field("", description="What an .npz file held when the run began; filled in by Karikomi.")
    network: str = Field("lenet-300-100", description="Architecture: lenet-300-100, or mlp-<h1>-<h2>-…")
    initialization: Literal["glorot", "kaiming", "pytorch"] = Field(
        "glorot", description="Initial weights: Gaussian Glorot, Gaussian Kaiming, or PyTorch's own."
    )
    iterations: int = Field(5000, ge=1, description="Training steps (minibatches) of every network.")
    batch: int = Field(60, ge=1, description="Examples in a minibatch.")
    optimizer: Literal["adam", "sgd"] = Field("adam", description="Adam, or SGD with momentum.")
    learning_rate: float = Field(1.2e-3, gt=0, lt=100, description="Step size of the optimizer.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD; Adam does not use it.")
    weight_decay: float = Field(0.0, ge=0, lt=1, description="L2 penalty, added to the gradient.")
    validation: int = Field(
        10_000,
        ge=2,
        description="Training examples held back, stratified, to decide when to stop; a draw per replicate.",
    )
    validate_every: int = Field(100, ge=1, description="Iterations between two validations.")
    replicates: int = Field(5, ge=1, description="Full repetitions, each with its own seed.")
    seed: int = Field(0, ge=0, description="Root of all random streams.")
    engine: Literal["auto", "sparse", "population"] = Field(
        "auto", description="sparse: perceptrons on CPU, cost falls with density; population: torch, any network."
    )

    @model_validator(mode="before")
    @classmethod
    def _preset_beneath(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        name = given.get("preset", next(iter(cls.PRESETS)))
        if name not in cls.PRESETS:
            raise unknown("preset", str(name), cls.PRESETS)
        return {**cls.PRESETS[name], **given}

    @classmethod
    def of(cls, **given: Any) -> Self:
        """Like the constructor, with errors of one line.

        Raises:
            InputError: naming the setting, what was given and what would be right.
        """
        try:
            return cls(**given)
        except ValidationError as problem:
            raise InputError(explain(problem)) from problem


def explain(problem: ValidationError, prefix: str = "") -> str:
    """The first thing wrong, in one line; ``prefix`` is put before the setting's name (``--`` for a flag)."""
    first = problem.errors(include_url=False)[0]
    place, given = first["loc"], first["input"]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    name = str(place[0]) if place else "settings"
    if first["type"] == "extra_forbidden":
        return f"there is no setting {name!r}"
    flag = prefix + name.replace("_", "-") if prefix else name
    return f"{flag}: {first['msg'].replace('Input should', 'it should')}; it is {given!r}"
