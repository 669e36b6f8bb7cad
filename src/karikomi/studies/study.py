"""What a study is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from karikomi.runs.folder import RunFolder
from karikomi.studies.settings import StudySettings

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from karikomi.studies.setup import Setup
    from karikomi.studies.show import Answer
    from karikomi.studies.stage import Saved, Stage


def later(where: str) -> Callable[..., Any]:
    """The function at ``package.module:name``, imported at its first call: an answer need not wait for torch.

    >>> later("math:sqrt")(9)
    3.0
    """
    module, _, name = where.partition(":")
    return lambda *args, **kwargs: getattr(import_module(module), name)(*args, **kwargs)


@dataclass(frozen=True)
class Picture:
    """A figure of a study: how to draw it from a result (None where it has no meaning), and what it shows."""

    draw: Callable[[Any], alt.TopLevelMixin | None]
    caption: str


class MeasureFormat(NamedTuple):
    """How a measure is written: its name, its unit, the factor to that unit, and digits after the point."""

    title: str
    unit: str
    factor: float
    digits: int


@dataclass(frozen=True)
class Study:
    """One experiment: settings, protocol, tables, answer, pictures.

    ``by_replicate`` gives, from the tables, the measures of every replicate: a row per replicate and condition, which
    are the index; ``compared`` says which of them tell two runs apart.
    """

    name: str
    settings: type[StudySettings]
    prepare: Callable[..., Setup[Any]]
    stages: Callable[[Setup[Any]], list[Stage]]
    tables: Callable[[RunFolder], dict[str, pd.DataFrame]]
    saved: Callable[[RunFolder], list[Saved]]
    summarize: Callable[..., Answer]
    by_replicate: Callable[[Mapping[str, pd.DataFrame]], pd.DataFrame]
    compared: Mapping[str, MeasureFormat]
    pictures: Mapping[str, Picture]
