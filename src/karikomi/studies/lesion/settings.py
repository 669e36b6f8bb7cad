"""The settings of the lesion study."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from cyclopts import Group, Parameter
from pydantic import Field

from karikomi.removal.orders import Direction
from karikomi.removal.scores import UNIT_CRITERIA
from karikomi.studies.healthy.settings import QUICK, ScoringSettings
from karikomi.studies.settings import ONCE

REMOVAL = Parameter(group=Group("Removal", sort_key=3))

Timing = Literal["static", "adaptive"]


class LesionSettings(ScoringSettings):
    """Remove the units of a trained network one after the other: along which order does it fail, and how suddenly?"""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "full": {},
        "quick": {**QUICK, "criteria": ("in-strength", "taylor", "knock-out")},
    }

    criteria: Annotated[tuple[str, ...], REMOVAL] = Field(
        default=(
            "in-strength",
            "out-strength",
            "betweenness-inverse",
            "activation-mean",
            "preactivation-mean",
            "taylor",
            "knock-out",
        ),
        min_length=1,
        description=f"What units are scored by: {', '.join(UNIT_CRITERIA)}.",
    )
    directions: Annotated[tuple[Direction, ...], ONCE, REMOVAL] = Field(default=("high", "low"), min_length=1)
    """Which go first: those of high scores, those of low ones."""
    timing: Annotated[tuple[Timing, ...], ONCE, REMOVAL] = Field(default=("static",), min_length=1)
    """static: scored once, in the healthy network; adaptive: those that are left are scored again."""
    every: Annotated[int, REMOVAL] = Field(default=16, ge=1)
    """Removals between two scorings of an adaptive order."""
    scope: Annotated[Literal["layer", "global"], REMOVAL] = "layer"
    """Where scores compete. layer: within layers, which lose their units in proportion; so a curve shows which units
    went, not which layer. global: in all layers at once, which compares what differs by layer (an in-strength sums as
    many weights as the layer before has units), and can empty one layer before the next."""
    orders: Annotated[int, REMOVAL] = Field(default=30, ge=2)
    """Random orders in each replicate, and as many layer-matched ones: at every step a random unit of the layer that
    the targeted order takes one from."""
