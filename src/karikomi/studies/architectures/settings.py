"""The settings of the study of architectures."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from cyclopts import Group, Parameter
from pydantic import Field, field_validator, model_validator

from karikomi.errors import InputError
from karikomi.networks import Normalization, check_network
from karikomi.studies.settings import INITIALIZATION, NETWORK, ONCE, START, Initialization, StudySettings
from karikomi.studies.training import TRAINING

SHAPES = Parameter(group=Group("Architectures", sort_key=2))
LESIONS = Parameter(group=Group("Lesions and ageing", sort_key=3))


class ArchitecturesSettings(StudySettings):
    """Networks of several architectures side by side: which bears the loss of units, and which recovers?"""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "full": {},
        "sizes": {"parameters": (30_000, 60_000, 120_000, 200_000)},
        "notebooks": {
            "networks": ("mlp-256", "mlp-128-128", "mlp-64-64-64", "mlp-32-32-32-32-32", f"mlp{10 * '-16'}"),
            "parameters": (),
            "batch": 64,
            "learning_rate": 1e-3,
        },
        "quick": {
            "parameters": (30_000,),
            "layers": (1, 3),
            "normalizations": ("none",),
            "iterations": 300,
            "validation": 2_000,
            "replicates": 3,
            "orders": 2,
            "cycles": 3,
            "retraining": 30,
        },
    }

    preset: Annotated[Literal["full", "sizes", "notebooks", "quick"], START] = Field(default="full", exclude=True)
    """Start from these settings. full: wide against deep; sizes: the same at four sizes; notebooks: the shapes of
    Shin_Miz's notebooks; quick: few and small networks, in seconds."""
    networks: Annotated[tuple[str, ...], SHAPES] = ()
    """Networks by name, beside the perceptrons of equal size."""
    parameters: Annotated[tuple[int, ...], ONCE, SHAPES] = (30_000, 120_000)
    """Sizes of perceptrons; their layers are as wide as this number of parameters allows. None where networks are
    named, unless this is given too."""
    layers: Annotated[tuple[int, ...], ONCE, SHAPES] = (1, 2, 4)
    """Hidden layers of the perceptrons of each size, all of one width."""
    dropouts: Annotated[tuple[float, ...], ONCE, SHAPES] = (0.0, 0.5)
    """Rates of dropout behind the hidden layers of the perceptrons."""
    normalizations: Annotated[tuple[Literal["none", "batch"], ...], ONCE, SHAPES] = ("none", "batch")
    """Normalization of the hidden layers of the perceptrons."""
    # What varies here, and is a setting of every other study.
    network: Annotated[str, Parameter(parse=False)] = "lenet-300-100"
    """Of a condition."""
    dropout: Annotated[float | None, Parameter(parse=False)] = None
    """Of a condition."""
    normalization: Annotated[Normalization | None, Parameter(parse=False)] = None
    """Of a condition."""
    initialization: Annotated[Initialization, NETWORK] = Field(default="kaiming", description=INITIALIZATION)
    iterations: Annotated[int, TRAINING] = Field(default=2000, ge=1)
    """Training steps (minibatches) of every network."""
    orders: Annotated[int, LESIONS] = Field(default=5, ge=1)
    """Random orders, layers in proportion, along which each network loses its units."""
    examples: Annotated[int, LESIONS] = Field(default=1000, ge=2)
    """Test examples, at most, on which lesions are measured."""
    death_rate: Annotated[float, LESIONS] = Field(default=0.15, gt=0, lt=1)
    """Share of the units that are left which die in a cycle of ageing."""
    cycles: Annotated[int, LESIONS] = Field(default=5, ge=1)
    """Cycles of ageing."""
    retraining: Annotated[int, LESIONS] = Field(default=100, ge=1)
    """Training steps in every cycle of those that are retrained."""

    @property
    def title(self) -> str:
        """What the page calls the run."""
        return "perceptrons of equal size" if self.parameters else f"{len(self.networks)} networks"

    @model_validator(mode="before")
    @classmethod
    def _named_alone(cls, given: Any) -> Any:
        alone = isinstance(given, Mapping) and given.get("networks") and "parameters" not in given
        return {**given, "parameters": ()} if alone else given

    @field_validator("networks")
    @classmethod
    def _known(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(check_network, networks)))

    @model_validator(mode="after")
    def _something_to_compare(self) -> Self:
        if any(rate < 0 or rate >= 1 for rate in self.dropouts):
            raise InputError(f"dropouts lie between 0 and 1, without 1; they are {', '.join(map(str, self.dropouts))}")
        if any(number < 1 for number in (*self.parameters, *self.layers)):
            raise InputError("parameters and layers are whole numbers from 1")
        if not self.networks and not (self.parameters and self.layers and self.dropouts and self.normalizations):
            raise InputError("there is nothing to compare: give networks, or parameters with layers")
        return self
