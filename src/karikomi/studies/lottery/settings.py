"""The settings of the lottery study."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

from cyclopts import Group, Parameter
from pydantic import Field, field_serializer, field_validator, model_validator

from karikomi.errors import InputError
from karikomi.registry import Entry
from karikomi.removal.allocation import Allocation
from karikomi.removal.scores import LINK_CRITERIA, link_criterion
from karikomi.runs.folder import SETTINGS as RUN_SETTINGS
from karikomi.studies.lottery.conditions import MEANINGS, OF_THE_TICKET, TRANSFERRED, Arm
from karikomi.studies.lottery.presets import PRESETS
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
Rewind = int | Literal["none", "lr"]


class Variant(NamedTuple):
    """One chain of prunings among those that a run compares.

    Attributes:
        criterion: scores the links.
        rewind: where the survivors return to.
        allocation: how many links each layer keeps.
        label: what tells it from the others; "" where there is no other.
    """

    criterion: str
    rewind: Rewind
    allocation: Allocation
    label: str


class LotterySettings(StudySettings):
    """Find winning lottery tickets: train, remove the lowest links, rewind, again (Frankle & Carbin 2019)."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    preset: Annotated[Preset, START] = Field(default="blog", exclude=True)
    """Start from these settings. blog: tmtk's replication, in minutes; paper: Frankle & Carbin's protocol, in hours;
    quick: a small network, in seconds. paper-conv-2, -4, -6: theirs on CIFAR-10; paper-resnet-20: late rewinding of
    Frankle et al. 2020; both in days, each with a -small twin on MNIST, in minutes on two cores."""
    arms: Annotated[tuple[Arm, ...], ARMS] = Field(
        default=("dense", "ticket", "reinit"),
        min_length=1,
        description="\n\n".join(
            ["Conditions to compare.", *(f"{arm}: {meaning}" for arm, meaning in MEANINGS.items())]
        ),
    )
    start: Annotated[str | None, ARMS] = None
    """Tickets of another run, to train on these data: its folder; or one ticket that karikomi export wrote, for the
    last round. Their arms are transferred, transferred-reinit and transferred-random."""
    start_sha256: Annotated[str | None, Parameter(parse=False)] = None
    """What those tickets were when the run began; filled in by Karikomi."""
    reinits: Annotated[int, ARMS] = Field(default=1, ge=1)
    """Re-initializations of each ticket in the arm reinit."""
    criterion: Annotated[str, REMOVAL] = "magnitude"
    """Scores the links, the lowest go; see karikomi criteria."""
    criteria: Annotated[tuple[str, ...] | None, REMOVAL] = Field(default=None, min_length=1)
    """Several criteria, compared at every density with the first one; the dense networks are shared."""
    when: Annotated[int | Literal["start", "end"] | None, REMOVAL] = None
    """The weights that are scored: at the start, of the untrained network, after so many iterations of the dense
    network's training, or at the end of training, each time anew. By default as in the criterion's paper: snip, grasp
    and synflow at the start, others at the end."""
    prunings: Annotated[int | None, REMOVAL] = Field(default=None, ge=1)
    """Prunings before the end of training that lead to each density, scored anew before each; by default 100 for
    synflow and 1 for others."""
    scope: Annotated[Literal["layer", "global"], REMOVAL] = "layer"
    """Where scores compete: in each layer, or in all at once."""
    allocation: Annotated[Allocation | None, REMOVAL] = None
    """How many links each layer keeps. layer: as the rates say; uniform: the same share; erk: Erdős–Rényi kernel, more
    where there are few (Evci et al. 2020); global: scores compete in all layers at once; lamp: the same, scaled by
    layer (Lee et al. 2021). By default the scope."""
    allocations: Annotated[tuple[Allocation, ...] | None, REMOVAL] = Field(default=None, min_length=1)
    """Several allocations, compared at every density with the first one."""
    layer_densities: Annotated[tuple[float, ...] | None, REMOVAL] = Field(default=None, min_length=1)
    """Share of its links that each layer keeps after the last round, layer by layer; in round n of N its n/N-th power.
    By default the rates and the allocation say it."""
    rate: Annotated[float, REMOVAL] = Field(default=0.2, gt=0, lt=1)
    """Share of the surviving links that a round removes."""
    convolution_rate: Annotated[float | None, REMOVAL] = Field(default=None, gt=0, lt=1)
    """That share in convolutions; by default it is the rate."""
    output_rate: Annotated[Literal["equal", "half"], REMOVAL] = "equal"
    """The output layer's rate: equal to the others' (tmtk) or half of it (Frankle & Carbin)."""
    rounds: Annotated[int, REMOVAL] = Field(default=10, ge=1, le=1000)
    """Pruning rounds."""
    schedule: Annotated[Literal["iterative", "one-shot"], REMOVAL] = "iterative"
    """Prune round by round, or to each density at once from the trained dense network."""
    rewind: Annotated[tuple[Rewind, ...], REMOVAL, Parameter(show_default=lambda several: several[0])] = (0,)
    """Iteration k whose weights the survivors return to, and biases, normalization and its statistics with them, which
    are never removed; they are trained for the iterations that are left after k. none: they keep their trained weights,
    at the last learning rate (fine-tuning); lr: the same, and the schedule starts again (learning-rate rewinding, Renda
    et al. 2020). Several are compared with the first one."""

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
        # Tickets come from the dense network, most controls from tickets; one order, whatever order was given.
        asked = {"dense", *arms} | ({"ticket"} if {*OF_THE_TICKET} & {*arms} else set())
        return tuple(arm for arm in get_args(Arm) if arm in asked)

    @field_validator("criterion", "criteria")
    @classmethod
    def _known(cls, given: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        return link_criterion(given) if isinstance(given, str) else given and tuple(map(link_criterion, given))

    @field_validator("rewind", mode="before")
    @classmethod
    def _one_or_several(cls, rewind: Any) -> Any:
        several = rewind if isinstance(rewind, list | tuple) else (rewind,)
        if not several:
            raise InputError("rewind needs at least one value")
        return several

    @field_serializer("rewind")
    def _as_ever(self, rewind: tuple[Rewind, ...]) -> Any:
        # Part of the identity of runs from before there could be several. Others mean another experiment since: what
        # is rewound to k was trained for all iterations again.
        return 0 if rewind == (0,) else rewind

    @property
    def variants(self) -> list[Variant]:
        """The chains of prunings that are compared; one alone in most runs."""
        criteria, allocations = self.criteria or (self.criterion,), self.allocations or (self.allocation or self.scope,)
        found = []
        for criterion, rewind, allocation in product(criteria, self.rewind, allocations):
            named = [criterion] if len(criteria) > 1 else []
            named += [f"rewind {rewind}"] if len(self.rewind) > 1 else []
            named += [allocation] if len(allocations) > 1 else []
            found.append(Variant(criterion, rewind, allocation, ", ".join(named)))
        return found

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Iterations of the dense networks' training whose weights are kept."""
        return tuple(sorted({at for at in (*self.rewind, self.when) if isinstance(at, int) and at > 0}))

    def acts(self, criterion: str) -> int | Literal["end"]:
        """After which iteration of the dense network's training a criterion scores; at the end each ticket is."""
        when = self.when or LINK_CRITERIA.find(criterion).when
        return 0 if when == "start" else when

    def registered(self, data: str | None) -> Iterator[Entry]:
        yield from super().registered(data)
        yield from map(LINK_CRITERIA.find, self.criteria or (self.criterion,))

    def fingerprinted(self, data: "Dataset | None", models: "Sequence[nn.Module]") -> Self:
        settings = super().fingerprinted(data, models)
        if self.start is None:
            return settings
        from karikomi.studies.tickets import fingerprint  # loads torch

        return settings.changed(start_sha256=fingerprint(self.start))

    @model_validator(mode="after")
    def _start_and_its_arms(self) -> Self:
        if (self.start is None) != {*TRANSFERRED}.isdisjoint(self.arms):
            raise InputError(f"start and the arms {', '.join(TRANSFERRED)} go together; give start and one of them")
        if self.start is not None and len(self.variants) > 1:
            raise InputError(
                "tickets of another run are compared with one chain; give one criterion, rewind, allocation"
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        last, when = self.iterations - 1, self.when
        for at in self.rewind:
            if isinstance(at, int) and not 0 <= at <= last:
                raise InputError(
                    f"rewind must lie between 0 and {last}, before the last iteration, or be none or lr; it is {at}"
                )
        if isinstance(when, int) and not 1 <= when <= last:
            raise InputError(
                f"when must lie between 1 and {last}, before the last iteration, or be start or end; it is {when}"
            )
        if self.prunings is not None and all(self.acts(variant.criterion) == "end" for variant in self.variants):
            raise InputError("prunings needs a criterion that acts before the end of training, or when start")
        for one, several in (("criterion", "criteria"), ("allocation", "allocations")):
            if getattr(self, several) and getattr(self, one) != type(self).model_fields[one].default:
                raise InputError(f"give either {one} or {several}, not both")
        for name in ("criteria", "rewind", "allocations"):
            twice = [str(value) for value, times in Counter(getattr(self, name) or ()).items() if times > 1]
            if twice:
                raise InputError(f"{name} names {twice[0]} twice")
        self._check_allocation()
        return self

    def _check_allocation(self) -> None:
        """Raise an InputError for what says twice how many links a layer keeps."""
        if self.layer_densities is not None:
            if self.allocation or self.allocations or self.scope == "global":
                raise InputError("layer_densities say what each layer keeps; give them without allocation and scope")
            if not all(0 < density <= 1 for density in self.layer_densities):
                shown = " ".join(f"{density:g}" for density in self.layer_densities)
                raise InputError(
                    f"layer_densities must lie above 0 and at most at 1, the links there are; they are {shown}"
                )
        if self.scope == "global" and any(variant.allocation != "global" for variant in self.variants):
            raise InputError("scope global is allocation global; other allocations need scope layer")
        by_rate = self.layer_densities is None and all(variant.allocation == "layer" for variant in self.variants)
        for name in ("output_rate half", "convolution_rate") if not by_rate else ():
            if getattr(self, name.split()[0]) not in (None, "equal"):
                raise InputError(f"{name} needs scope layer and allocation layer: else all layers have one rate")
