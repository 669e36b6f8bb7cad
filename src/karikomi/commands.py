"""What the subcommands do. Results go to stdout, progress and complaints to stderr."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from karikomi.errors import InputError
from karikomi.runs.folder import RUNS, RunFolder, list_runs
from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.settings import StudySettings

Out = Annotated[Path | None, Parameter(help="Run folder; by default one in karikomi-runs, named by the settings.")]
Quiet = Annotated[bool, Parameter(help="Show no progress.")]
Cluster = Annotated[
    str | None,
    Parameter(help="Compute on Dask: tcp://HOST:PORT of a scheduler, or local:N to start N processes here."),
]
Run = Annotated[str, Parameter(help="A run folder, or the (beginning of the) name of one in karikomi-runs.")]
Margin = Annotated[float | None, Parameter(help="Accuracy margin of the verdicts: 0.002 (the default) is 0.2 points.")]


def lottery(
    *,
    settings: Annotated[LotterySettings | None, Parameter(name="*")] = None,
    out: Out = None,
    quiet: Quiet = False,
    cluster: Cluster = None,
) -> None:
    """Run the lottery study and print its answer."""
    _run("lottery", settings or LotterySettings(), out, quiet, cluster)


def lesion(
    *,
    settings: Annotated[LesionSettings | None, Parameter(name="*")] = None,
    out: Out = None,
    quiet: Quiet = False,
    cluster: Cluster = None,
) -> None:
    """Run the lesion study and print its answer."""
    _run("lesion", settings or LesionSettings(), out, quiet, cluster)


def importance(
    *,
    settings: Annotated[ImportanceSettings | None, Parameter(name="*")] = None,
    out: Out = None,
    quiet: Quiet = False,
    cluster: Cluster = None,
) -> None:
    """Run the knock-out study and print its answer."""
    _run("importance", settings or ImportanceSettings(), out, quiet, cluster)


def ageing(
    *,
    settings: Annotated[AgeingSettings | None, Parameter(name="*")] = None,
    out: Out = None,
    quiet: Quiet = False,
    cluster: Cluster = None,
) -> None:
    """Run the ageing study and print its answer."""
    _run("ageing", settings or AgeingSettings(), out, quiet, cluster)


def runs(folder: Annotated[Path, Parameter(help="Where to look.")] = RUNS, /) -> None:
    """List the run folders here, oldest first."""
    found = list_runs(folder)
    if not found:
        Console(stderr=True).print(
            f"There are no runs in {folder} yet; start one with: karikomi lottery --preset quick"
        )
        return
    table = Table(
        "run", "study", "network", "data", "replicates", "seed", "started (UTC)", "state", box=None, pad_edge=False
    )
    for run in found:
        settings = run.settings
        shown = [str(settings.get(key, "")) for key in ("network", "data", "replicates", "seed")]
        started = run.environment["started"][:16].replace("T", " ")
        table.add_row(str(run.path), run.study, *shown, started, "finished" if run.finished else "unfinished")
    _console().print(table)


def show(run: Run, /, *, margin: Margin = None) -> None:
    """Show the answer of a run again, or what an unfinished run has so far."""
    result = _result(run)
    _print_answer(result, _margins(result, margin))


def compare(run: Run, against: Run, /) -> None:
    """Compare two runs of one study: what differs, paired by replicate."""
    from karikomi.studies.comparison import compare

    _console().print(compare(_result(run), _result(against)))


def report(run: Run, /, *, margin: Margin = None) -> None:
    """Draw a run's figures and page again, from the run folder alone."""
    result = _result(run)
    result.draw(**_margins(result, margin))
    _console().print(f"{result.page}", soft_wrap=True)


def export(
    run: Run,
    /,
    *,
    to: Annotated[Path, Parameter(help="File to write, .safetensors.")],
    replicate: Annotated[int, Parameter(help="Which replicate, from 0.")] = 0,
    round: Annotated[int | None, Parameter(help="Lottery: after which pruning round; 0 is the dense network.")] = None,
    cycle: Annotated[int | None, Parameter(help="Ageing: after which cycle; 0 is the healthy network.")] = None,
    arm: Annotated[str | None, Parameter(help="Ageing: in which arm.")] = None,
    pattern: Annotated[str | None, Parameter(help="Ageing: in which pattern of deaths.")] = None,
) -> None:
    """Write a network of a run to a file: weights, mask, of a ticket its initial weights, and where it comes from.

    Load it with karikomi.load_network(FILE).
    """
    if to.suffix != ".safetensors":
        raise InputError(f"a network is written as safetensors; name the file {to.with_suffix('.safetensors')}")
    network = _result(run).network(replicate, round=round, cycle=cycle, arm=arm, pattern=pattern)
    try:
        network.to_share().save(to)
    except OSError as problem:
        raise InputError(f"cannot write {to}: {problem.strerror}") from problem
    _console().print(f"{to}", soft_wrap=True)


def _run(name: str, settings: StudySettings, out: Path | None, quiet: bool, cluster: str | None) -> None:
    from karikomi.studies import studies
    from karikomi.studies.run import run

    _print_answer(run(studies()[name], settings, out=out, quiet=quiet, cluster=cluster), {})


def _folder(run: str) -> RunFolder:
    if Path(run).exists():
        return RunFolder.open(Path(run))
    named = [folder for folder in list_runs(RUNS) if folder.path.name.startswith(run)]
    if len(named) == 1:
        return named[0]
    known = ", ".join(folder.path.name for folder in (named or list_runs(RUNS))) or "none"
    raise InputError(f"there is {'more than one' if named else 'no'} run {run!r}; in {RUNS}: {known}")


def _result(run: str):
    from karikomi.studies import study_of
    from karikomi.studies.result import Result

    folder = _folder(run)
    result = Result(study_of(folder), folder)
    if result.table.empty:
        raise InputError(f"the run {folder.path} has no results yet; the command that began it goes on with it")
    return result


def _margins(result, margin: float | None) -> dict[str, float]:
    if margin is None:
        return {}
    if result.study.name not in ("lottery", "ageing"):
        raise InputError(
            f"only verdicts of lottery and ageing have a margin; {result.folder.path} is a {result.study.name} run"
        )
    return {"accuracy_margin": margin}


def _print_answer(result, margins: dict[str, float]) -> None:
    console = _console()
    console.print(result.summary(**margins))
    console.print()
    if result.page.exists():
        console.print(f"Page: {result.page}", soft_wrap=True)


def _console() -> Console:
    # Into a pipe or file whole lines, not lines cut to a terminal that is not there.
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)
