"""The settings of the lottery study."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args

from cyclopts import Group, Parameter
from pydantic import Field, field_validator, model_validator

from karikomi.errors import InputError
from karikomi.registry import Entry
from karikomi.removal.scores import LINK_CRITERIA
from karikomi.runs.folder import SETTINGS as RUN_SETTINGS
from karikomi.studies.settings import START, StudySettings

if TYPE_CHECKING:
    from torch import nn

    from karikomi.data.dataset import Dataset

REMOVAL = Parameter(group=Group("Removal", sort_key=3))
ARMS = Parameter(group=Group("Arms", sort_key=3))

Preset = Literal[
    "blog",
    "paper",
    "paper-conv-2",
    "paper-conv-4",
    "paper-conv-6",
    "paper-resnet-20",
    "paper-conv-2-small",
    "paper-conv-4-small",
    "paper-conv-6-small",
    "paper-resnet-20-small",
    "quick",
]
Arm = Literal[
    "dense", "ticket", "reinit", "shuffled", "random", "transferred", "transferred-reinit", "transferred-random"
]
TRANSFERRED: tuple[Arm, ...] = ("transferred", "transferred-reinit", "transferred-random")
"""The arms of the tickets of another run."""


_PAPER = {"output_rate": "half", "validation": 5_000, "replicates": 5, "reinits": 3}
_SMALL = {"iterations": 600, "rounds": 3, "validation": 2_000, "validate_every": 50, "replicates": 3}
_CONV = {**_PAPER, "data": "cifar-10", "rounds": 20}
_CONV_SMALL = {**_SMALL, "output_rate": "half"}
# Linear Mode Connectivity and the Lottery Ticket Hypothesis (Frankle et al. 2020): late rewinding, global magnitude.
_RESNET = {
    "standardize": True,
    "initialization": "kaiming",
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "learning_rate_schedule": "step",
    "weight_decay": 1e-4,
    "scope": "global",
}


class LotterySettings(StudySettings):
    """Find winning lottery tickets: train, remove the lowest links, rewind, again (Frankle & Carbin 2019)."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "blog": {},
        "paper": {**_PAPER, "iterations": 50_000, "rounds": 18},
        "paper-conv-2": {
            **_CONV,
            "network": "conv-2",
            "iterations": 20_000,
            "learning_rate": 2e-4,
            "convolution_rate": 0.1,
        },
        "paper-conv-4": {
            **_CONV,
            "network": "conv-4",
            "iterations": 25_000,
            "learning_rate": 3e-4,
            "convolution_rate": 0.1,
        },
        "paper-conv-6": {
            **_CONV,
            "network": "conv-6",
            "iterations": 30_000,
            "learning_rate": 3e-4,
            "convolution_rate": 0.15,
        },
        "paper-resnet-20": {
            **_RESNET,
            "data": "cifar-10",
            "network": "resnet-20",
            "epochs": 160,
            "batch": 128,
            "augment": ("shift", "flip"),
            "rewind": 2000,
            "rounds": 10,
            "validation": 5_000,
            "replicates": 3,
        },
        "paper-conv-2-small": {**_CONV_SMALL, "network": "conv-2-small", "convolution_rate": 0.1},
        "paper-conv-4-small": {**_CONV_SMALL, "network": "conv-4-small", "convolution_rate": 0.1},
        "paper-conv-6-small": {**_CONV_SMALL, "network": "conv-6-small", "convolution_rate": 0.15},
        "paper-resnet-20-small": {
            **_RESNET,
            **_SMALL,
            "network": "resnet-8",
            "augment": ("shift",),
            "rewind": 30,
        },
        "quick": {
            "network": "mlp-100-50",
            "iterations": 400,
            "rounds": 3,
            "rate": 0.5,
            "validation": 2_000,
            "validate_every": 50,
            "replicates": 3,
        },
    }

    preset: Annotated[Preset, START] = Field(
        default="blog",
        exclude=True,
        description="Start from these settings. blog: tmtk's replication, in minutes; paper: Frankle & Carbin's"
        " protocol, in hours; quick: a small network, in seconds. paper-conv-2, -4, -6: theirs on CIFAR-10;"
        " paper-resnet-20: late rewinding of Frankle et al. 2020; both in days, each with a -small twin on MNIST, in"
        " minutes on two cores.",
    )
    arms: Annotated[tuple[Arm, ...], ARMS] = Field(
        default=("dense", "ticket", "reinit"),
        min_length=1,
        description="Conditions to compare. dense: the whole network (always); ticket: rewound; reinit: the"
        " ticket's mask with new initial weights; shuffled: the mask shuffled within each layer, initial weights kept;"
        " random: random removal, initial weights kept; transferred, transferred-reinit, transferred-random: of start.",
    )
    start: Annotated[str | None, ARMS] = Field(
        default=None,
        description="Tickets of another run, to train on these data: its folder; or one ticket that karikomi export"
        " wrote, for the last round. transferred: its mask and initial weights; transferred-reinit: its mask with new"
        " ones; transferred-random: as many links of each layer at random, this run's initial weights.",
    )
    start_sha256: Annotated[str | None, Parameter(parse=False)] = Field(
        default=None, description="What those tickets were when the run began; filled in by Karikomi."
    )
    reinits: Annotated[int, ARMS] = Field(
        default=1, ge=1, description="Re-initializations of each ticket in the arm reinit."
    )
    criterion: Annotated[str, REMOVAL] = Field(
        default="magnitude",
        description=f"Scores the links, the lowest go: {', '.join(LINK_CRITERIA)}.",
    )
    scope: Annotated[Literal["layer", "global"], REMOVAL] = Field(
        default="layer", description="Where scores compete: in each layer, or in all at once."
    )
    rate: Annotated[float, REMOVAL] = Field(
        default=0.2, gt=0, lt=1, description="Share of the surviving links that a round removes."
    )
    convolution_rate: Annotated[float | None, REMOVAL] = Field(
        default=None, gt=0, lt=1, description="That share in convolutions; by default it is the rate."
    )
    output_rate: Annotated[Literal["equal", "half"], REMOVAL] = Field(
        default="equal",
        description="The output layer's rate: equal to the others' (tmtk) or half of it (Frankle & Carbin).",
    )
    rounds: Annotated[int, REMOVAL] = Field(default=10, ge=1, le=1000, description="Pruning rounds.")
    schedule: Annotated[Literal["iterative", "one-shot"], REMOVAL] = Field(
        default="iterative",
        description="Prune round by round, or to each density at once from the trained dense network.",
    )
    rewind: Annotated[int | Literal["none"], REMOVAL] = Field(
        default=0,
        description="Iteration whose weights the survivors return to, and biases, normalization and its statistics with"
        " them, which are never removed; none: they keep their trained weights.",
    )

    def transfers_in(self, number: int) -> bool:
        """Whether the tickets of ``start`` belong to a round: those of a run to all, a single one to the last."""
        return self.start is not None and (number == self.rounds or (Path(self.start) / RUN_SETTINGS).exists())

    @model_validator(mode="before")
    @classmethod
    def _all_of_the_start(cls, given: Any) -> Any:
        all_of_it = isinstance(given, Mapping) and given.get("start") is not None and "arms" not in given
        return {**given, "arms": (*cls.model_fields["arms"].default, *TRANSFERRED)} if all_of_it else given

    @field_validator("arms")
    @classmethod
    def _with_what_they_need(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        # Tickets come from the dense network, reinit and shuffled from tickets; one order, whatever order was given.
        asked = {"dense", *arms} | ({"ticket"} if {"reinit", "shuffled"} & set(arms) else set())
        return tuple(arm for arm in get_args(Arm) if arm in asked)

    @field_validator("criterion")
    @classmethod
    def _known_criterion(cls, criterion: str) -> str:
        LINK_CRITERIA.find(criterion)
        return criterion

    def registered(self, data: str | None) -> Iterator[Entry]:
        yield from super().registered(data)
        yield LINK_CRITERIA.find(self.criterion)

    def fingerprinted(self, data: "Dataset | None", models: "Sequence[nn.Module]") -> Self:
        settings = super().fingerprinted(data, models)
        if self.start is None:
            return settings
        from karikomi.studies.lottery.transfer import fingerprint  # loads torch

        return settings.changed(start_sha256=fingerprint(self.start))

    @model_validator(mode="after")
    def _start_and_its_arms(self) -> Self:
        if (self.start is None) != {*TRANSFERRED}.isdisjoint(self.arms):
            raise InputError(f"start and the arms {', '.join(TRANSFERRED)} go together; give start and one of them")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if isinstance(self.rewind, int) and not 0 <= self.rewind <= self.iterations:
            raise InputError(
                f"rewind must lie between 0 and iterations ({self.iterations}), or be none; it is {self.rewind}"
            )
        for name in ("output_rate half", "convolution_rate") if self.scope == "global" else ():
            if getattr(self, name.split()[0]) not in (None, "equal"):
                raise InputError(f"{name} needs scope layer: with scope global all layers compete under one rate")
        return self
