"""What the settings of all studies have in common."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from cyclopts import Group, Parameter
from pydantic import AfterValidator, Field, model_validator

from karikomi import data as datasets
from karikomi.errors import InputError, unknown
from karikomi.networks import NETWORKS, OPTIONS, Activation, Normalization, check_network, group_count
from karikomi.networks.modular import Control, Modular
from karikomi.registry import Entry
from karikomi.studies.training import TRAINING, TrainingSettings

if TYPE_CHECKING:
    from torch import nn

    from karikomi.data.dataset import Dataset

SCHEMA = 2
"""Part of every run's identity: raise it when the same settings come to mean another experiment."""


# The sections of a study's --help.
START = Parameter(group=Group("Start from", sort_key=1))
NETWORK = Parameter(group=Group("Data and network", sort_key=2))
# Shown where they count: karikomi lottery --network modular-5-100-400-100 --help
_ASKED = any(argument.startswith("modular-") for argument in sys.argv)
MODULAR = Parameter(group=Group("Modular network", sort_key=2, show=_ASKED), show=_ASKED)
REPLICATION = Parameter(group=Group("Replication", sort_key=5))

OWN = "model"
"""The network of a run on your own modules."""

ARCHITECTURE = (
    f"Architecture: {', '.join(NETWORKS)}; a modular one has settings of its own (name it before --help). Or your own:"
    " FILE.py:FUNCTION; it takes nothing, or a sample's shape and the number of classes, and gives a module."
)
ONCE = AfterValidator(lambda given: tuple(dict.fromkeys(given)))
"""What is named twice counts once."""

Initialization = Literal["glorot", "kaiming", "pytorch", "own"]
INITIALIZATION = (
    "Initial weights: Gaussian Glorot, Gaussian Kaiming, PyTorch's own by layer, or what the network's own code draws"
    " (the default of a network of yours)."
)
ONLY_MODULAR = ("within", "long_range", "reach", "entry", "exit", "control", "wiring_cost")
"""Settings that say something of a modular network alone."""


class StudySettings(TrainingSettings):
    """Settings that every study has, beside those of training.

    ``PRESETS`` maps a preset's name to the settings it changes; what is given beside a preset overrides it.
    """

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"": {}}

    data: Annotated[str, NETWORK] = Field(
        default="mnist",
        description=f"Data set by name or path: {', '.join(datasets.DATASETS)}. See karikomi datasets.",
    )
    label_column: Annotated[str | None, NETWORK] = None
    """Of a table (CSV, Parquet), the column that holds the labels; by default label."""
    train_share: Annotated[float | None, NETWORK] = Field(default=None, gt=0, le=1)
    """Share of the training examples to train on, stratified; a draw per replicate. By default all that are not held
    back for validation."""
    label_noise: Annotated[float | None, NETWORK] = Field(default=None, gt=0, lt=1)
    """Share of the training labels, validation included, that are replaced by another class; one draw for all
    replicates. By default none."""
    standardize: Annotated[bool | None, NETWORK] = None
    """Inputs of mean 0 and standard deviation 1 over the training set: per feature, per channel of images."""
    data_sha256: Annotated[str, Parameter(parse=False)] = ""
    """What a file of data held when the run began; filled in by Karikomi."""
    code_sha256: Annotated[str, Parameter(parse=False)] = ""
    """The code of registered networks, data and criteria; filled in by Karikomi."""
    network: Annotated[str, NETWORK] = Field(default="lenet-300-100", description=ARCHITECTURE)
    initialization: Annotated[Initialization, NETWORK] = Field(default="glorot", description=INITIALIZATION)
    activation: Annotated[Activation | None, NETWORK] = None
    """Of perceptrons, behind every hidden layer; by default ReLU."""
    dropout: Annotated[float | None, NETWORK] = Field(default=None, ge=0, lt=1)
    """Of perceptrons, the probability of a hidden unit to be 0 in a training step; by default 0."""
    normalization: Annotated[Normalization | None, NETWORK] = None
    """Of perceptrons, between a hidden layer and its activation; by default none."""
    within: Annotated[float, MODULAR] = Modular.within
    """Probability of a link within a group, above 0 to 1."""
    long_range: Annotated[float, MODULAR] = Modular.long_range
    """Probability of a link between two groups, 0 to 1."""
    reach: Annotated[float | None, MODULAR] = Modular.reach
    """Distance at which that probability has fallen to 1/e, groups on a circle of diameter 1; by default it does not
    fall."""
    entry: Annotated[int, MODULAR] = Modular.entry
    """Group that the inputs link to, from 0."""
    exit: Annotated[int | None, MODULAR] = Modular.exit
    """Group that the outputs are linked from; by default one across from group 0."""
    control: Annotated[Control, MODULAR] = Modular.control
    """matched: as many links between any two layers, but at random places."""
    wiring_cost: Annotated[float, MODULAR] = Field(default=0.0, ge=0, lt=100)
    """λ of the wiring cost in the loss, λ Σ |w| · distance."""
    validation: Annotated[int, TRAINING] = Field(default=10_000, ge=2)
    """Training examples held back, stratified, to decide when to stop; a draw per replicate."""
    replicates: Annotated[int, REPLICATION] = Field(default=5, ge=1)
    """Full repetitions, each with its own seed."""
    seed: Annotated[int, REPLICATION] = Field(default=0, ge=0)
    """Root of all random streams."""

    @property
    def title(self) -> str:
        """What networks a run is about, on its page."""
        return self.network

    @property
    def flags(self) -> str:
        """The flags of the command that gives these settings."""
        words: list[str] = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if (
                value == field.default
                or value in (None, False)
                or any(getattr(m, "parse", 1) is False for m in field.metadata)
            ):
                continue
            values = () if value is True else value if isinstance(value, tuple) else (value,)
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
        return shlex.join(words)

    @property
    def options(self) -> dict[str, Any]:
        """What is chosen of the network beside its name."""
        return {name: value for name in OPTIONS if (value := getattr(self, name)) is not None}

    @property
    def modular(self) -> Modular:
        """How the groups of a modular network are wired."""
        return Modular(self.within, self.long_range, self.reach, self.entry, self.exit, self.control)

    @model_validator(mode="after")
    def _network_and_its_own_settings(self) -> Self:
        if self.network != OWN or "models" not in type(self).model_fields:
            check_network(self.network, self.options)
        if self.label_column is not None and not datasets.is_table(self.data):
            raise InputError(f"label_column needs a table, such as a .csv file; the data are {self.data}")
        _ = self.modular
        for name in ONLY_MODULAR if group_count(self.network) is None else ():
            if getattr(self, name) != type(self).model_fields[name].default:
                self.refuse_without_groups(name)
        return self

    def refuse_without_groups(self, what: str) -> None:
        """Raise an InputError if the network is not a modular one."""
        if group_count(self.network) is None:
            raise InputError(f"{what} needs a network with groups, such as modular-5-100-400-100; it is {self.network}")

    @model_validator(mode="before")
    @classmethod
    def _preset_beneath(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        name = given.get("preset", next(iter(cls.PRESETS)))
        if name not in cls.PRESETS:
            raise unknown("preset", str(name), cls.PRESETS)
        chosen = {**cls.PRESETS[name], **given}
        network = chosen.get("network")
        yours = isinstance(network, str) and (".py:" in network or (network in NETWORKS and NETWORKS[network].code))
        return {"initialization": "own", **chosen} if yours else chosen

    @property
    def trains(self) -> bool:
        """Whether networks are trained, so that training examples must be split."""
        return True

    def fingerprinted(self, data: Dataset | None, models: Sequence[nn.Module]) -> Self:
        """The same settings with the hash of what they only point to: your own data or a file, modules and code."""
        named = self.data if data is None else data.name
        codes = [entry.code for entry in self.registered(named if data is None else None) if entry.code]
        code = hashlib.sha256("".join(codes).encode()).hexdigest() if codes else ""
        content = datasets.fingerprint(named if data is None else data)
        return self.changed(data=named, data_sha256=content, code_sha256=code)

    def registered(self, data: str | None) -> Iterator[Entry]:
        """The entries of the network, the data and the criteria that these settings name."""
        if self.network != OWN:
            yield NETWORKS.find(self.network)
        if data is not None:
            yield datasets.find(data)
