"""What the subcommands do that take a run elsewhere: into a paper, into a plan, into a browser."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Column, Table

from karikomi.commands import Run, result_of, terminal
from karikomi.errors import InputError
from karikomi.language import DEFAULT, Language, translate
from karikomi.registry import Registry
from karikomi.runs.folder import RUNS
from karikomi.studies import POWER
from karikomi.tracking import USAGES, tracker

Written = Annotated[Language, Parameter(name="--language", help="Of the output: English or Japanese (日本語).")]


def figure(
    run: Run,
    name: Annotated[str | None, Parameter(help="Which figure; without a name all are listed.")] = None,
    /,
    *,
    to: Annotated[Path | None, Parameter(help="File to write: .pdf, .svg or .png.")] = None,
    width: Annotated[
        str | None,
        Parameter(help="Such as 85mm, a column's; in mm, cm, in, pt or px. The height follows, letters keep 7 points."),
    ] = None,
    font: Annotated[str | None, Parameter(help="A font family that is on this machine.")] = None,
    language: Written = DEFAULT,
) -> None:
    """Write a figure of a run for a paper.

    karikomi figure RUN accuracy --to accuracy.pdf --width 85mm
    """
    result = result_of(run, language)
    if name is None:
        _list("figure", result.study.figures, language)
        return
    result.study.figures.find(name)
    file = _asked("figure", to, ".pdf, .svg or .png")
    result.save_figure(name, file, width=width, font=font)
    terminal().print(f"{file}", soft_wrap=True)


def table(
    run: Run,
    name: Annotated[str | None, Parameter(help="Which table; without a name all are listed.")] = None,
    /,
    *,
    to: Annotated[Path | None, Parameter(help="File to write: .tex (booktabs), .md, or .csv with all digits.")] = None,
    language: Written = DEFAULT,
) -> None:
    """Write a table of a run for a paper: what was measured, the statistics, or a table of the answer.

    karikomi table RUN ticket-minus-dense --to tickets.tex
    """
    from karikomi.studies.written import named_tables

    result = result_of(run, language)
    tables = named_tables(result)
    if name is None:
        _list("table", tables, language)
        return
    tables.find(name)
    file = _asked("table", to, ".tex, .md or .csv")
    result.save_table(name, file)
    terminal().print(f"{file}", soft_wrap=True)


def plan(
    run: Run,
    /,
    *,
    difference: Annotated[
        float | None,
        Parameter(
            help="What is to be shown, in the measure's unit: by default 0.1 points of accuracy (of another measure ten"
            " in the last digit that is shown)."
        ),
    ] = None,
    power: Annotated[float, Parameter(help="With which probability it is to be shown, if it is there.")] = POWER,
    measure: Annotated[
        str | None, Parameter(help="By which measure; by default the first of those that compare runs of the study.")
    ] = None,
    language: Written = DEFAULT,
) -> None:
    """Plan replicates: how many would show a difference, in each comparison of a run, from its paired spread.

    By the power of a paired t-test at 0.05, and with Holm's correction; and what the present number shows.
    """
    from karikomi.studies.planning import plan as planned

    terminal().print(planned(result_of(run), difference, power, measure, language))


def track(
    run: Run, to: Annotated[str, Parameter(help="\n".join(f"{usage}: {what}" for usage, what in USAGES.items()))], /
) -> None:
    """Send a finished run to where a team looks: settings, curves, tables, figures, page.

    karikomi track RUN mlflow:http://127.0.0.1:5000
    """
    send = tracker(to)
    terminal().print(send(result_of(run)), soft_wrap=True)


def serve(
    folder: Annotated[Path, Parameter(help="A folder of runs.")] = RUNS,
    /,
    *,
    port: Annotated[int, Parameter(help="Where to listen; 0 takes any that is free.")] = 8765,
    language: Written = DEFAULT,
) -> None:
    """Show a folder of runs in a browser: list, compare, open, watch one that is running.

    It listens on 127.0.0.1 alone and writes nothing. Needs the extra: pip install 'karikomi[serve]'
    """
    from karikomi.serving.server import serve as listen

    listen(folder, port, language, lambda address: terminal().print(f"{address} (stop with Ctrl+C)", soft_wrap=True))


def _list(kind: str, entries: Registry[Any], language: Language) -> None:
    listed = Table(Column(kind, no_wrap=True), Column("meaning", overflow="fold"), box=None, pad_edge=False)
    for name, entry in entries.items():
        listed.add_row(name, translate(entry.meaning, language))
    terminal().print(listed, markup=False)


def _asked(kind: str, to: Path | None, endings: str) -> Path:
    if to is None:
        raise InputError(f"where should the {kind} go? Give --to a file: {endings}")
    return to
