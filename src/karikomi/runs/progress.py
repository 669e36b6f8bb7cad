"""Progress of long work, on stderr."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from time import monotonic
from typing import Protocol

EVERY_SHARE, EVERY_SECONDS = 0.1, 30.0


class Advance(Protocol):
    """Says that ``n`` more steps are done, and from now on what is being done; any thread may call it."""

    def __call__(self, n: int, description: str | None = None) -> None: ...


def progress(description: str, total: int, quiet: bool, completed: int = 0) -> AbstractContextManager[Advance]:
    """Show how much of ``total`` steps is done, ``completed`` of them before now.

    On a terminal a bar with rate and time left; elsewhere a line at the start, at the end, and in between whenever
    both a tenth of the steps and half a minute have gone by; nothing if ``quiet``.

    >>> with progress("training", total=100, quiet=True) as advance:
    ...     advance(60)
    ...     advance(40, "round 2 of 10")
    """
    if quiet:
        return nullcontext(lambda n, description=None: None)
    on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return (_bar if on_terminal else _lines)(description, total, completed)


@contextmanager
def _bar(description: str, total: int, completed: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(_rate(task.finished_speed or task.speed or 0))

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    # stdout stays as it is: a study's results may be going into a pipe.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as bar:
        task = bar.add_task(description, total=total, completed=completed)
        yield lambda n, description=None: bar.update(task, advance=n, description=description)


@contextmanager
def _lines(description: str, total: int, completed: int) -> Iterator[Advance]:
    lock = threading.Lock()
    began = said_at = monotonic()
    doing, done, said = description, completed, completed

    def say(text: str) -> None:
        print(f"{doing}: {text}", file=sys.stderr, flush=True)

    def advance(n: int, description: str | None = None) -> None:
        nonlocal doing, done, said, said_at
        with lock:
            doing = description or doing
            done += n
            now = monotonic()
            if done < total and done - said >= EVERY_SHARE * total and now - said_at >= EVERY_SECONDS:
                rate = (done - completed) / (now - began)
                say(f"{_share(done, total)}, {_rate(rate)}, {_duration((total - done) / rate)} left")
                said, said_at = done, now

    say(_share(done, total))
    yield advance
    say(f"{_share(done, total)} in {_duration(monotonic() - began)}")


def _share(done: int, total: int) -> str:
    return f"{done:,} of {total:,} steps ({done / total if total else 1:.0%})"


def _rate(steps_per_second: float) -> str:
    return f"{steps_per_second:,.{0 if steps_per_second >= 10 else 1}f} steps/s"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
