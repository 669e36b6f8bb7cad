"""What a claim is, and how a file of claims is read."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from karikomi.claims import SETS, text_of
from karikomi.errors import InputError, unknown
from karikomi.runs.files import read_whole

Scale = Literal["quick", "default", "full"]
SCALES: tuple[Scale, ...] = get_args(Scale)
"""From seconds to the whole protocol."""

Aggregate = Literal["mean", "min", "max", "sum", "last"]
Value = bool | int | float | str
Text = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Protocol(_Entry):
    """A run: a study and its settings, and what each scale changes of them."""

    study: str
    settings: dict[str, Any] = {}
    quick: dict[str, Any] = {}
    default: dict[str, Any] = {}
    full: dict[str, Any] = {}

    def at(self, scale: Scale) -> dict[str, Any]:
        """The settings at a scale."""
        return {**self.settings, **getattr(self, scale)}


class Selection(_Entry):
    """A number per replicate: a column of a run's table, of the rows that match ``where``, aggregated.

    ``table`` is one of the run's, or ``measures``: those by which ``karikomi compare`` tells runs apart.
    """

    run: str
    table: str = "table"
    column: str
    where: dict[str, Value | list[Value]] = {}
    aggregate: Aggregate = "mean"


class Change(_Entry):
    """In what a second selection differs from the first; of ``where`` the columns named."""

    run: str | None = None
    table: str | None = None
    column: str | None = None
    where: dict[str, Value | list[Value]] = {}
    aggregate: Aggregate | None = None


class Measure(Selection):
    """A selection; or it minus another one, or over another one, replicate by replicate.

    Multiplied by ``times``, and ``plus`` added, it is in the claim's unit.
    """

    minus: Change | None = None
    over: Change | None = None
    times: float = 1
    plus: float = 0

    @model_validator(mode="after")
    def _one_other(self) -> Self:
        if self.minus is not None and self.over is not None:
            raise InputError("a measure takes minus or over, not both")
        return self

    @property
    def selections(self) -> list[Selection]:
        """The first, and the other one if there is one."""
        first = Selection(**{name: getattr(self, name) for name in Selection.model_fields})
        other = self.minus or self.over
        if other is None:
            return [first]
        where = {**first.where, **other.where}
        return [first, first.model_copy(update={**other.model_dump(exclude_none=True), "where": where})]


class Region(_Entry):
    """Where a claim says that the number lies: above a number, below one, or between two."""

    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.bounds:
            raise InputError("it needs above, below or both")
        if sorted(set(self.bounds)) != self.bounds:
            raise InputError(f"nothing lies above {self.above:g} and below {self.below:g}")
        return self

    @property
    def bounds(self) -> list[float]:
        """Where it ends: one number or two."""
        return [bound for bound in (self.above, self.below) if bound is not None]

    def __contains__(self, value: float) -> bool:
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)

    def __str__(self) -> str:
        if len(self.bounds) == 2:
            return f"between {self.above:g} and {self.below:g}"
        return f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"


class Claim(_Entry):
    """One claim.

    Attributes:
        claim: what is claimed, a sentence.
        place: where in the source it stands.
        theirs: their number as printed, in the claim's unit; or in words where there is none.
        unit: of all numbers of the claim.
        measure: what it is measured by here.
        holds: where the number lies if the claim holds.
        margin: why there.
        scale: the smallest at which it is decided; smaller ones only show the number.
    """

    claim: Text
    place: Text
    theirs: Text
    unit: str = ""
    measure: Measure
    holds: Region
    margin: str = ""
    scale: Scale = "quick"

    @property
    def published(self) -> float | None:
        """The first number in ``theirs``."""
        found = re.search(r"[-−]?\d[\d,]*\.?\d*", self.theirs)
        return float(found[0].replace("−", "-").replace(",", "")) if found else None


class ClaimSet(_Entry):
    """The claims of a publication: where it is, the runs that repeat its protocol, and the claims by name."""

    title: Text
    source: Text
    link: str = ""
    runs: Mapping[str, Protocol]
    claims: Annotated[Mapping[str, Claim], Field(min_length=1)]

    @model_validator(mode="after")
    def _known_runs(self) -> Self:
        for name, claim in self.claims.items():
            for run in (selection.run for selection in claim.measure.selections):
                if run not in self.runs:
                    raise InputError(f"claim {name}: {unknown('run', run, self.runs)}")
        return self


def read_claims(which: str) -> tuple[str, ClaimSet]:
    """A set by its name or the path of a TOML file: what it is called, and the claims.

    Raises:
        InputError: if there is no such set or file, or something in it is wrong; in one line, with the place.
    """
    if which in SETS:
        return which, _parsed(which, text_of(which))
    if not which.endswith(".toml"):
        raise InputError(f"{unknown('set of claims', which, SETS)}; or the path of a .toml file")
    try:
        text = read_whole(Path(which)).decode()
    except UnicodeDecodeError as problem:
        raise InputError(f"{which} is no text in UTF-8") from problem
    return Path(which).stem, _parsed(which, text)


def _parsed(where: str, text: str) -> ClaimSet:
    try:
        return ClaimSet.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        raise InputError(f"{where} is no TOML: {problem}") from problem
    except ValidationError as problem:
        raise InputError(f"{where}: {_explained(problem)}") from problem


def _explained(problem: ValidationError) -> str:
    """The first mistake, with the path of keys to it."""
    error = problem.errors(include_url=False)[0]
    path = ".".join(str(key) for key in error["loc"])
    cause = error.get("ctx", {}).get("error")
    said = error["msg"].replace("Input should", "should")
    said = {"extra_forbidden": "there is no such key", "missing": "is missing"}.get(error["type"], said)
    return ": ".join(filter(None, (path, str(cause) if isinstance(cause, InputError) else said)))
