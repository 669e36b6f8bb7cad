"""The settings of the ageing study."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from cyclopts import Group, Parameter
from pydantic import Field, field_validator, model_validator

from karikomi.errors import InputError, unknown
from karikomi.graphs import REFUSED
from karikomi.removal.orders import Direction
from karikomi.removal.scores import SAME_AS, UNIT_CRITERIA, unit_criterion
from karikomi.studies.healthy.settings import HealthySettings
from karikomi.studies.settings import START

DEATHS = Parameter(group=Group("Deaths", sort_key=3))
ARMS = Parameter(group=Group("Arms", sort_key=3))

Arm = Literal["none", "retrain", "sham", "homeostasis", "regrowth", "scratch"]
NONE, RETRAIN, SHAM, REGROWTH, SCRATCH = "none", "retrain", "sham", "regrowth", "scratch"
TRAINED = (RETRAIN, SHAM, REGROWTH)
"""Arms that go on training in every cycle."""

LINK_PATTERNS = ("local", "long-range")
RANDOM, REGIONAL, CLUSTER, SCATTERED = "random", "regional", "cluster", "scattered"
PATTERNS = (RANDOM, REGIONAL, CLUSTER, SCATTERED, *LINK_PATTERNS)


class AgeingSettings(HealthySettings):
    """Let the units of a network die cycle by cycle, and let it relearn: does it hold, and what does it hold by?"""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "full": {},
        "demo": {"deaths": 6, "iterations": 2000, "retraining": 100},
        "quick": {
            "network": "mlp-32-32",
            "iterations": 300,
            "validation": 2_000,
            "scoring": 2_000,
            "cycles": 4,
            "retraining": 50,
            "replicates": 3,
        },
    }

    preset: Annotated[Literal["full", "demo", "quick"], START] = Field(default="full", exclude=True)
    """Start from these settings. full: Shin_Miz's protocol; demo: twice as many deaths in a cycle and an eighth of the
    training, in minutes; quick: a small network, in seconds."""
    # Narrower than in other studies, which is safe in what is frozen.
    ablation: Annotated[Literal["zero"], Parameter(parse=False)] = "zero"  # pyright: ignore[reportIncompatibleVariableOverride]
    """The dead are gone: nothing takes their place."""
    deaths: Annotated[float, DEATHS] = Field(default=3, gt=0)
    """Units, or links, that die in a cycle: a whole number, or a share below 1 of the units that are left."""
    patterns: Annotated[tuple[str, ...], DEATHS] = Field(
        default=(RANDOM,),
        min_length=1,
        description="Who dies; several are run side by side. random units; regional: one group after the other;"
        " cluster: a unit and its neighbours in space, or where there is none those it is linked to most strongly;"
        " scattered: the control of the others, as many of each layer in every cycle at random places; local,"
        " long-range: links within and between groups, equal in number and nearly in |w|; or a criterion that scores"
        f" the healthy network's units, layers losing theirs in proportion: {', '.join(UNIT_CRITERIA)}.",
    )
    direction: Annotated[Direction, DEATHS] = "high"
    """Which units die first by a criterion: those of high scores or those of low ones."""
    regions: Annotated[tuple[int, ...], DEATHS] = ()
    """Groups that die in the pattern regional, in this order; by default it is drawn."""
    cycles: Annotated[int | None, DEATHS] = Field(default=None, ge=1)
    """A life ends after so many cycles, or with units_left or parameters_left: with the first that is reached. By
    default with the share of its parameters at which Shin_Miz stopped (200,000 of 269,322)."""
    units_left: Annotated[int | None, DEATHS] = Field(default=None, ge=1)
    """A life ends once no more units than this are left."""
    parameters_left: Annotated[int | None, DEATHS] = Field(default=None, ge=1)
    """A life ends once no more parameters than this are left, in any pattern and replicate."""
    arms: Annotated[tuple[Arm, ...], ARMS] = Field(default=("none", "retrain", "sham", "scratch"), min_length=1)
    """Conditions to compare. none: no training; retrain: the survivors train; sham: nothing dies, the same training on
    the same minibatches; homeostasis: the survivors' weights are scaled, no training; regrowth: as many new units or
    links as died, and the same training; scratch: the survivors' network with new weights, trained for as many steps in
    all."""
    retraining: Annotated[int | None, ARMS] = Field(default=None, ge=0)
    """Training steps in every cycle; by default one epoch."""
    optimizer_state: Annotated[Literal["sliced", "reset"], ARMS] = "sliced"
    """What survivors keep of the optimizer's state from cycle to cycle: their slice, or nothing. In the first cycle it
    is fresh."""
    homeostasis: Annotated[Literal["count", "variance"], ARMS] = "count"
    """Scale the weights into a unit by the number of links that it had over those that are left, or so that the
    variance of its input is restored."""
    scratch_at: Annotated[tuple[int, ...], ARMS] = ()
    """Cycles at which the arm scratch is trained; by default halfway and at the end."""

    @property
    def chosen(self) -> tuple[str, ...]:
        """The patterns named, but for the controls."""
        return tuple(pattern for pattern in self.patterns if pattern != SCATTERED)

    @property
    def controls(self) -> dict[str, str]:
        """By pattern the full name of its scattered control, if there are controls."""
        return {p: control_of(p) for p in self.chosen if SCATTERED in self.patterns and p != RANDOM}

    @property
    def drawn(self) -> tuple[str, ...]:
        """All patterns of the run, controls by their full names."""
        return tuple(dict.fromkeys((*self.chosen, *self.controls.values())))

    @property
    def scored_by(self) -> tuple[str, ...]:
        """The patterns that are criteria."""
        return tuple(pattern for pattern in self.patterns if pattern not in PATTERNS)

    @property
    def takes_links(self) -> bool:
        """Whether links die, not units."""
        return any(pattern in LINK_PATTERNS for pattern in self.patterns)

    @field_validator("patterns")
    @classmethod
    def _known_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for name in patterns:
            if name not in {*PATTERNS, *UNIT_CRITERIA, *SAME_AS, *REFUSED}:
                raise unknown("pattern", name, (*PATTERNS, *(c for c in UNIT_CRITERIA if c != RANDOM)))
            if name not in PATTERNS:
                unit_criterion(name)
        chosen = set(patterns) - {SCATTERED}
        if SCATTERED in patterns and not chosen - {RANDOM}:
            raise InputError("scattered is the control of other patterns: name one beside it, such as regional")
        if chosen & {*LINK_PATTERNS} and chosen - {*LINK_PATTERNS}:
            raise InputError("in the patterns local and long-range links die, in the others units: take one kind")
        return tuple(dict.fromkeys(patterns))

    @field_validator("arms")
    @classmethod
    def _in_order(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        return tuple(arm for arm in get_args(Arm) if arm in arms)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.retraining == 0 and (idle := [arm for arm in self.arms if arm in TRAINED]):
            raise InputError(f"{idle[0]} needs training steps: retraining must be at least 1, or that arm left out")
        if self.takes_links and (self.deaths != int(self.deaths) or self.units_left is not None):
            raise InputError("links die in whole numbers, with no unit: deaths must be one, and units_left left out")
        grouped = [pattern for pattern in self.patterns if pattern in (REGIONAL, *LINK_PATTERNS)]
        if grouped:
            self.refuse_without_groups(f"the pattern {grouped[0]}")
        return self


def control_of(pattern: str) -> str:
    """The full name of the scattered control of a pattern. Both patterns of links have the same."""
    return f"{SCATTERED}-links" if pattern in LINK_PATTERNS else f"{SCATTERED}-{pattern}"
