"""The run folder: settings, environment, journal, tables, subnetworks and figures of one run.

Creation is a row of steps, each of them whole or not at all: whatever a kill leaves behind, the next
``create_or_resume`` takes up from there. It is ``settings.toml`` that makes a folder a run folder.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from karikomi.errors import InputError
from karikomi.runs import environment, files
from karikomi.runs.journal import Journal
from karikomi.runs.settings import differences, identity, plain, read_settings, write_settings

if TYPE_CHECKING:
    import pandas as pd

RUNS = Path("karikomi-runs")
"""Where run folders go if nobody says otherwise."""

LOCK, SETTINGS, ENVIRONMENT = ".lock", "settings.toml", "environment.json"


def default_path(study: str, identity: str, parent: Path = RUNS) -> Path:
    """The folder of a run that was given none.

    >>> default_path("lottery", "0123456789abcdef").as_posix()
    'karikomi-runs/lottery-01234567'
    """
    return parent / f"{study}-{identity[:8]}"


def list_runs(parent: Path = RUNS) -> list["RunFolder"]:
    """The runs in a folder, the first started first; what is no run folder, or a damaged one, is passed over."""
    runs = []
    for path in parent.iterdir() if parent.is_dir() else ():
        try:
            runs.append(RunFolder.open(path))
        except InputError:
            continue
    return sorted(runs, key=lambda run: (run.environment["started"], run.path))


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run: from ``create_or_resume`` to write to, from ``open`` to read.

    ``settings`` are as in settings.toml: a setting that is None is not there, and a tuple is a list.
    """

    path: Path
    study: str
    settings: dict[str, Any]
    schema: int

    @classmethod
    @contextmanager
    def create_or_resume(cls, path: Path, study: str, settings: Mapping[str, object], schema: int) -> Iterator[Self]:
        """The folder of this run, new or taken up again, and locked against other writers inside the context.

        Raises:
            InputError: if the folder belongs to another run or to no run, is being written by another process, is
                damaged or not writable. Nothing is written then.
        """
        folder = cls(path, study, plain(settings), schema)
        with ExitStack() as held:
            try:
                # Before the lock, so that a refused folder does not get even a lock file; and under it, since
                # another writer may have come in between.
                folder._refuse_if_not_ours()
                path.mkdir(parents=True, exist_ok=True)
                held.enter_context(folder._lock())
                folder._refuse_if_not_ours()
                folder._begin_session()
            except OSError as error:
                raise InputError(f"cannot write the run folder {path}: {error.strerror or error}") from error
            yield folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """An existing run folder, to read.

        Raises:
            InputError: if it is no run folder, or damaged.
        """
        if not (path / SETTINGS).exists():
            raise InputError(f"{path} is not a run folder: it has no {SETTINGS}")
        folder = cls(path, *read_settings(path / SETTINGS))
        _ = folder.environment  # damaged? then say so now
        return folder

    @property
    def identity(self) -> str:
        return identity(self.study, self.settings, self.schema)

    @property
    def journal(self) -> Journal:
        return Journal(self.path / "journal.jsonl")

    @property
    def subnetworks(self) -> Path:
        return self.path / "subnetworks"

    @property
    def pieces(self) -> Path:
        """Where arrays are that pieces of work leave, too many for the journal."""
        return self.path / "pieces"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def environment(self) -> dict[str, Any]:
        """``started``, ``finished`` (UTC, None until then) and ``sessions``: machine and software, each time anew.

        Raises:
            InputError: if environment.json is missing or damaged.
        """
        file = self.path / ENVIRONMENT
        try:
            content = json.loads(file.read_bytes())
            if {"started", "finished", "sessions"} <= content.keys():
                return content
        except (OSError, ValueError, AttributeError):
            pass
        raise InputError(f"{file} is missing or damaged; remove it if it is there, and run the study again")

    @property
    def finished(self) -> bool:
        return self.environment["finished"] is not None

    def finish(self) -> None:
        """Mark the run as finished; once finished, it keeps its time."""
        if not self.finished:
            self._write_environment({**self.environment, "finished": environment.now()})

    def write_table(self, name: str, frame: "pd.DataFrame") -> None:
        """Write ``<name>.parquet``; the same table gives the same bytes. Missing and NaN become one, as in pandas."""
        files.write_whole(self.path / f"{name}.parquet", frame.to_parquet(engine="pyarrow"))

    def _refuse_if_not_ours(self) -> None:
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise InputError(f"{self.path} is a file; choose another name for the run folder")
        if not (self.path / SETTINGS).exists():
            # What a writer leaves that was killed before it wrote the settings is nobody else's.
            ours = {LOCK, self.subnetworks.name, self.pieces.name, self.figures.name}
            for entry in self.path.iterdir():
                if entry.name not in ours and not entry.name.startswith(files.PARTIAL):
                    raise InputError(
                        f"{self.path} is not a run folder and not empty ({entry.name}); choose another folder"
                    )
            return
        study, settings, schema = read_settings(self.path / SETTINGS)
        if identity(study, settings, schema) != self.identity:
            different = differences(
                {"study": study, "schema": schema, **settings},
                {"study": self.study, "schema": self.schema, **self.settings},
            )
            more = f", and {len(different) - 3} more" if len(different) > 3 else ""
            raise InputError(
                f"{self.path} holds a run with other settings ({', '.join(different[:3])}{more}); choose another folder"
            )

    def _lock(self) -> AbstractContextManager:
        from filelock import FileLock, Timeout

        try:
            return FileLock(self.path / LOCK).acquire(timeout=0)
        except Timeout:
            raise InputError(f"{self.path} is being written by another karikomi process{self._writer()}") from None

    def _writer(self) -> str:
        try:
            return f" (pid {self.environment['sessions'][-1]['pid']})"
        except InputError:  # it has only just begun
            return ""

    def _begin_session(self) -> None:
        session = {"started": environment.now(), "pid": os.getpid(), **environment.describe()}
        if not (self.path / SETTINGS).exists():
            write_settings(self.path / SETTINGS, self.study, self.settings, self.schema)
            files.sync_folder(self.path.parent)
        before = {"started": session["started"], "finished": None, "sessions": []}
        if (self.path / ENVIRONMENT).exists():
            if self.finished:
                return
            before = self.environment
        for folder in (self.path, self.subnetworks, self.pieces, self.figures):
            folder.mkdir(exist_ok=True)
            files.remove_partials(folder)
        self._write_environment({**before, "sessions": [*before["sessions"], session]})

    def _write_environment(self, content: dict[str, Any]) -> None:
        files.write_whole(self.path / ENVIRONMENT, (json.dumps(content, indent=2) + "\n").encode())
