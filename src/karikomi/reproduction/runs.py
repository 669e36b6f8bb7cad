"""The runs behind claims: their settings at a scale, each of them done once."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from karikomi.claims.claim import SCALES, ClaimSet, Scale
from karikomi.errors import InputError
from karikomi.language import DEFAULT, Language
from karikomi.runs.folder import default_path, identity
from karikomi.studies import find_study
from karikomi.studies.result import Result
from karikomi.studies.run import run
from karikomi.studies.settings import SCHEMA, StudySettings
from karikomi.studies.study import Study


class Planned(NamedTuple):
    """A run of a set: the study, and by scale its settings."""

    study: Study
    settings: Mapping[Scale, StudySettings]

    def path(self, parent: Path, scale: Scale) -> Path:
        """Its folder: the same study and settings have the same one, in whatever set of claims."""
        settings = self.settings[scale].fingerprinted(None, ())
        return default_path(self.study.name, identity(self.study.name, settings.model_dump(), SCHEMA), parent)


def plan(name: str, claims: ClaimSet) -> dict[str, Planned]:
    """The runs of a set by name; nothing is computed yet.

    Raises:
        InputError: for a study that there is not, or settings that it does not take, at any scale.
    """
    return {which: _planned(f"{name}, run {which}", claims, which) for which in claims.runs}


def _planned(where: str, claims: ClaimSet, which: str) -> Planned:
    protocol = claims.runs[which]
    try:
        study = find_study(protocol.study)
        return Planned(study, {scale: study.settings.of(**protocol.at(scale)) for scale in SCALES})
    except InputError as problem:
        raise InputError(f"{where}: {problem}") from problem


def carry_out(
    name: str, runs: Mapping[str, Planned], scale: Scale, parent: Path, quiet: bool, language: Language = DEFAULT
) -> dict[str, Result]:
    """Run them one after the other, or go on with them; those that are finished return at once."""
    results = {}
    for number, (which, planned) in enumerate(runs.items(), 1):
        path = planned.path(parent, scale)
        if not quiet:
            print(f"{name}: {which}, run {number} of {len(runs)}, {path}", file=sys.stderr, flush=True)
        results[which] = run(planned.study, planned.settings[scale], out=path, quiet=quiet, language=language)
    return results
