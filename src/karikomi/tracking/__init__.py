"""Where teams look: what sends a finished run there, by name. To add one: a file here, and a line in ``TRACKERS``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from karikomi.errors import InputError
from karikomi.registry import Entry, Registry, later

if TYPE_CHECKING:
    from karikomi.studies.result import Result
    from karikomi.studies.settings import StudySettings
    from karikomi.studies.study import Study


@dataclass(frozen=True)
class Tracker(Entry):
    """What takes a run: ``function(record, place)`` sends it and says where it is now, once for each identity.

    Attributes:
        place: what follows the name: ``:DIR``, ``[:URI]`` where it may be left out, "" where nothing does.
    """

    place: str = ""


TRACKERS = Registry(
    "tracker",
    {
        "mlflow": Tracker(
            later("karikomi.tracking.mlflow:send"),
            "a server, or a database such as sqlite:///mlflow.db; by default the one that MLflow is set to",
            needs=("mlflow",),
            place="[:URI]",
        ),
        "tensorboard": Tracker(
            later("karikomi.tracking.tensorboard:send"),
            "event files in a folder",
            needs=("tensorboard",),
            place=":DIR",
        ),
        "wandb": Tracker(
            later("karikomi.tracking.wandb:send"),
            "Weights & Biases, as its own settings say; WANDB_MODE=offline contacts nobody",
            needs=("wandb",),
        ),
    },
)

USAGES = {f"{name}{tracker.place}": tracker.meaning for name, tracker in TRACKERS.items()}
"""How each is given, and what it is."""


def tracker(given: str) -> Callable[[Result], str]:
    """What sends a run to ``mlflow``, ``mlflow:URI``, ``tensorboard:DIR`` or ``wandb``; it says where the run is now.

    That raises an InputError in its turn, if the tracker does not take the run.

    Raises:
        InputError: for a tracker that there is not, that lacks its place or its package.
    """
    name, colon, place = given.partition(":")
    chosen = TRACKERS.find(name)
    if not (bool(place and chosen.place) if colon else not chosen.place.startswith(":")):
        raise InputError(f"track should be {name}{chosen.place}; it is {given}")
    if any((found := find_spec(package)) is None or found.origin is None for package in chosen.needs):
        raise InputError(f"track {name} needs a package; install it with: pip install 'karikomi[{name}]'")

    def send(result: Result) -> str:
        from karikomi.tracking.record import Record

        if not result.folder.finished:
            raise InputError(f"{result.folder.path} is not finished; the command that began it goes on with it")
        try:
            with warnings.catch_warnings(action="ignore"):  # of what trackers warn themselves
                return chosen.function(Record(result), place)
        except Exception as problem:  # a tracker's own errors are of every kind
            said = " ".join(str(problem).split()) or type(problem).__name__
            raise InputError(f"{name} does not take the run: {said}") from problem

    return send


def run_and_track(
    study: Study, settings: StudySettings, *, track: str | None = None, quiet: bool = False, **how: Any
) -> Result:
    """The result of :func:`karikomi.studies.run.run`, sent to a tracker; that it was refused there costs a line alone.

    Raises:
        InputError: if something given is wrong; nothing is written then.
    """
    from karikomi.studies.run import run

    send = tracker(track) if track is not None else None
    result = run(study, settings, quiet=quiet, **how)
    if send is not None:
        try:
            told = send(result)
        except InputError as problem:
            told = f"karikomi: {problem}; the run is whole: karikomi track {result.folder.path} {track}"
            quiet = False
        if not quiet:
            print(told, file=sys.stderr, flush=True)
    return result
