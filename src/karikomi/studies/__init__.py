"""The studies by name. To add one: write it in a folder here, and give it a line below.

What the folder's docstring says is the help of the command.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import TYPE_CHECKING

from karikomi.errors import InputError
from karikomi.registry import Entry, Registry

if TYPE_CHECKING:
    from karikomi.runs.folder import RunFolder
    from karikomi.studies.study import Study

NAMES = ("lottery", "grow", "lesion", "importance", "ageing", "architectures", "stability")


def _entry(name: str) -> Entry:
    return Entry(lambda: import_module(f"karikomi.studies.{name}.study").STUDY, help_of(name).partition("\n")[0])


def help_of(name: str) -> str:
    """What the command of a study says of it."""
    return unwrapped(import_module(f"karikomi.studies.{name}"))


def unwrapped(described: object) -> str:
    """A docstring by its paragraphs: a terminal breaks lines itself."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(described) or "")


POWER = 0.8
"""With which probability a planned number of replicates shows a difference, unless another one is asked for."""

STUDIES = Registry("study", {name: _entry(name) for name in NAMES})


def find_study(name: str) -> Study:
    """The study called ``name``; an InputError offers the nearest name if there is none."""
    return STUDIES.find(name).function()


def study_of(folder: RunFolder) -> Study:
    """The study that a run folder belongs to."""
    if folder.study not in STUDIES:
        raise InputError(f"{folder.path} is a run of the study {folder.study!r}, which this Karikomi does not have")
    from karikomi.studies.settings import SCHEMA

    if folder.schema != SCHEMA:
        raise InputError(
            f"{folder.path} is a run of another version of Karikomi (schema {folder.schema}, not {SCHEMA})"
        )
    return find_study(folder.study)
