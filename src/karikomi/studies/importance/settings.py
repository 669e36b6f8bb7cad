"""The settings of the knock-out study."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from cyclopts import Group, Parameter
from pydantic import Field, field_validator

from karikomi.removal.scores import UNIT_CRITERIA, unit_criterion
from karikomi.studies.healthy.settings import HealthySettings
from karikomi.studies.settings import START

KNOCK_OUT = Parameter(group=Group("Knock-out", sort_key=3))


class ImportanceSettings(HealthySettings):
    """Remove each unit of a trained network alone: which are important, and which scores predict it?"""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "full": {},
        "quick": {
            "network": "mlp-64-32",
            "iterations": 400,
            "validation": 2_000,
            "scoring": 2_000,
            "replicates": 3,
            "pairs": 10,
        },
    }

    preset: Annotated[Literal["full", "quick"], START] = Field(
        default="full",
        exclude=True,
        description="Start from these settings. full: the study itself; quick: a small network, in seconds.",
    )
    criteria: Annotated[tuple[str, ...], KNOCK_OUT] = Field(
        default=(
            "in-strength",
            "out-strength",
            "out-flow",
            "betweenness-inverse",
            "in-closeness-inverse",
            "out-closeness-inverse",
            "pagerank",
            "reversed-pagerank",
            "activation-mean",
            "activation-sd",
            "firing-rate",
            "class-selectivity",
            "taylor",
            "knock-out",
            "random",
        ),
        min_length=1,
        description="Scores to compare with what a unit's loss costs; knock-out is that very cost on other examples."
        f" There are: {', '.join(UNIT_CRITERIA)}.",
    )
    given: Annotated[tuple[str, ...], KNOCK_OUT] = Field(
        default=("in-strength", "activation-mean"),
        description="Scores held constant in the partial correlations: what does another score add to these?",
    )
    shapley: Annotated[int, KNOCK_OUT] = Field(
        default=20, ge=0, description="Random orders of removal for the Shapley values; 0: none are measured."
    )
    pairs: Annotated[int, KNOCK_OUT] = Field(
        default=20, ge=0, description="Most important units of each replicate of which every pair is removed as well."
    )

    @field_validator("criteria", "given")
    @classmethod
    def _known_criteria(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            unit_criterion(name)
        return tuple(dict.fromkeys(names))

    @property
    def scored_by(self) -> tuple[str, ...]:
        """All that is measured: the criteria, and what is held constant."""
        return tuple(dict.fromkeys((*self.criteria, *self.given)))
