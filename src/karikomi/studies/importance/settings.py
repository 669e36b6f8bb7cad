"""The settings of the importance study."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from cyclopts import Group, Parameter
from pydantic import Field

from karikomi.removal.scores import UNIT_CRITERIA
from karikomi.studies.healthy.settings import QUICK, ScoringSettings

KNOCK_OUT = Parameter(group=Group("Knock-out", sort_key=3))


class ImportanceSettings(ScoringSettings):
    """Remove each unit of a trained network alone: which are important, and which scores predict it?"""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "full": {},
        "quick": {**QUICK, "replicates": 3, "pairs": 10},
    }
    SCORES: ClassVar[tuple[str, ...]] = ("criteria", "given")

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
    given: Annotated[tuple[str, ...], KNOCK_OUT] = ("in-strength", "activation-mean")
    """Scores held constant in the partial correlations: what does another score add to these?"""
    shapley: Annotated[int, KNOCK_OUT] = Field(default=20, ge=0)
    """Random orders of removal for the Shapley values; 0: none are measured."""
    pairs: Annotated[int, KNOCK_OUT] = Field(default=20, ge=0)
    """Most important units of each replicate of which every pair is removed as well."""
