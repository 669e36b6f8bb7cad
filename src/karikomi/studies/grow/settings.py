"""The settings of the study of growing networks."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from cyclopts import Group, Parameter
from pydantic import Field, field_validator, model_validator

from karikomi.errors import InputError
from karikomi.studies.settings import START, StudySettings

ARMS = Parameter(group=Group("Arms", sort_key=3))
REWIRING = Parameter(group=Group("Links that go and grow", sort_key=3))

Arm = Literal["dense", "dense-matched", "ticket", "static", "set", "rigl", "cht"]
SPARSE: tuple[Arm, ...] = ("ticket", "static", "set", "rigl", "cht")
GROWTH: Mapping[str, Literal["random", "gradient", "structure"]] = {
    "set": "random",
    "rigl": "gradient",
    "cht": "structure",
}
"""Where links grow in the arms whose links change."""


class GrowSettings(StudySettings):
    """Sparse networks whose links grow while they are trained, beside fixed masks, tickets and dense networks."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "full": {},
        # Training as in the code that the paper points to, but for the rate, which there is divided by 3 after epochs
        # 75 and 95 of 200.
        "rigl-paper": {
            "arms": ("static", "set", "rigl"),
            "layer_densities": (0.01, 0.109, 1.0),
            "epochs": 200,
            "batch": 100,
            "optimizer": "nesterov",
            "momentum": 0.9,
            "learning_rate": 0.2,
            "learning_rate_schedule": "step",
            "weight_decay": 1e-4,
            "end": 5 / 12,
            "validation": 100,
            "validate_every": 600,
        },
        "quick": {
            "network": "mlp-100-50",
            "iterations": 400,
            "every": 20,
            "densities": (0.1, 0.02),
            "ticket_rate": 0.6,
            "validation": 2_000,
            "validate_every": 50,
            "observations": 2,
            "replicates": 3,
        },
    }

    preset: Annotated[Literal["full", "rigl-paper", "quick"], START] = Field(default="full", exclude=True)
    """Start from these settings. full: all arms on MNIST, in minutes; rigl-paper: appendix B of Evci et al. 2020,
    LeNet-300-100 with 1 and 10.9 % of the links in its hidden layers; quick: a small network, in seconds."""
    arms: Annotated[tuple[Arm, ...], ARMS] = Field(default=get_args(Arm), min_length=1)
    """Conditions to compare. dense: the whole network; dense-matched: it, for as few steps as make the arithmetic
    equal; ticket: a lottery ticket of the same layer densities; static: a random mask that stays; set, rigl, cht: the
    same mask at the start, links go by magnitude and grow at random, by gradient, by structure."""
    densities: Annotated[tuple[float, ...], ARMS] = Field(default=(0.1, 0.05, 0.01), min_length=1)
    """Shares of the links that the sparse arms have."""
    start: Annotated[Literal["erk", "uniform"], ARMS] = "erk"
    """Densities of the layers. erk: higher in small layers, (inputs + outputs) / (inputs · outputs); uniform: all
    equal."""
    layer_densities: Annotated[tuple[float, ...] | None, ARMS] = None
    """Or the density of every layer, in place of densities and start."""
    budget: Annotated[Literal["steps", "arithmetic"], ARMS] = "steps"
    """What is equal: training steps; or arithmetic, so that at density d the sparse arms take 1 / d as many steps as
    the dense network."""
    ticket_rate: Annotated[float, ARMS] = Field(default=0.2, gt=0, lt=1)
    """Share of the links, at most, that a round towards the ticket removes."""
    every: Annotated[int, REWIRING] = Field(default=100, ge=1)
    """ΔT, training steps from one change of the links to the next."""
    share: Annotated[float, REWIRING] = Field(default=0.3, gt=0, le=1)
    """α, the share of each layer's links that goes and grows in a change."""
    decay: Annotated[Literal["cosine", "constant"], REWIRING] = "cosine"
    """How that share falls until the end: cosine (RigL), or not at all (SET)."""
    end: Annotated[float, REWIRING] = Field(default=0.75, gt=0, le=1)
    """T_end, the share of the training after which links stay."""
    observations: Annotated[int, REWIRING] = Field(default=5, ge=1)
    """How often the wiring is measured on the way, beside the start."""

    @model_validator(mode="before")
    @classmethod
    def _without_the_same_arm_twice(cls, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("budget") != "arithmetic" or "arms" in given:
            return given
        return {**given, "arms": tuple(arm for arm in cls.model_fields["arms"].default if arm != "dense-matched")}

    @field_validator("arms")
    @classmethod
    def _in_order(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        # Tickets are pruned from the dense network.
        return tuple(arm for arm in get_args(Arm) if arm in {*arms, *(["dense"] if "ticket" in arms else [])})

    @field_validator("densities")
    @classmethod
    def _falling(cls, densities: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < density < 1 for density in densities):
            raise InputError(f"densities lie between 0 and 1; they are {', '.join(f'{d:g}' for d in densities)}")
        return tuple(sorted(set(densities), reverse=True))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.layer_densities is not None and any(not 0 < density <= 1 for density in self.layer_densities):
            raise InputError("layer_densities lie above 0 and up to 1")
        if self.budget == "arithmetic" and "dense-matched" in self.arms:
            raise InputError("with budget arithmetic dense is the arm of equal arithmetic; leave dense-matched out")
        return self
