"""The settings of the stability study."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from cyclopts import Group, Parameter
from pydantic import Field, field_validator, model_validator

from karikomi.errors import InputError
from karikomi.studies.settings import START, StudySettings
from karikomi.studies.training import TRAINING

TWINS = Parameter(group=Group("Twins", sort_key=3))


class StabilitySettings(StudySettings):
    """Linear mode connectivity of twins that are trained under two minibatch orders (Frankle et al. 2020)."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "full": {},
        "quick": {
            "network": "mlp-64-32",
            "after": (0, 100),
            "iterations": 500,
            "rounds": 2,
            "rate": 0.6,
            "validation": 2_000,
            "replicates": 3,
        },
    }

    preset: Annotated[Literal["full", "quick"], START] = Field(default="full", exclude=True)
    """Start from these settings. full: LeNet-300-100, in minutes; quick: a small network, in seconds."""
    after: Annotated[tuple[int, ...], TWINS] = Field(default=(0, 100, 500), min_length=1)
    """K: iterations of training before the twins part; tickets are rewound to the weights after them."""
    rounds: Annotated[int, TWINS] = Field(default=4, ge=0, le=1000)
    """Pruning rounds, by magnitude and in each from the start after K; 0: the dense network alone."""
    rate: Annotated[float, TWINS] = Field(default=0.5, gt=0, lt=1)
    """Share of the surviving links that a round removes."""
    scope: Annotated[Literal["layer", "global"], TWINS] = "layer"
    """Where magnitudes compete: in each layer, or in all at once."""
    iterations: Annotated[int, TRAINING] = Field(default=3000, ge=1)
    """Training steps (minibatches) of every network, the first K included."""

    @field_validator("after")
    @classmethod
    def _in_order(cls, after: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(after)))

    @model_validator(mode="after")
    def _leaves_something_to_train(self) -> Self:
        wrong = [k for k in self.after if not 0 <= k < self.iterations]
        if wrong and self.epochs is None:
            raise InputError(f"after must lie between 0 and iterations ({self.iterations}), below it; it is {wrong[0]}")
        return self
