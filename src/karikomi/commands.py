"""What the subcommands do. Results go to stdout, progress and complaints to stderr."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.table import Column, Table

from karikomi.claims import SETS
from karikomi.errors import InputError
from karikomi.language import DEFAULT, Language, translate
from karikomi.registry import Registry
from karikomi.runs.folder import RUNS, RunFolder, list_runs
from karikomi.studies import STUDIES, find_study
from karikomi.tracking import USAGES, run_and_track

Out = Annotated[Path | None, Parameter(help="Run folder; by default one in karikomi-runs, named by the settings.")]
Quiet = Annotated[bool, Parameter(help="Show no progress.")]
Cluster = Annotated[
    str | None,
    Parameter(help="Compute on Dask: tcp://HOST:PORT of a scheduler, or local:N to start N processes here."),
]
Run = Annotated[str, Parameter(help="A run folder, or the (beginning of the) name of one in karikomi-runs.")]
Spoken = Annotated[
    Language, Parameter(name="--language", help="Of the summary and the page: English or Japanese (日本語).")
]
Track = Annotated[
    str | None,
    Parameter(help="\n".join(["Send the finished run to:", *(f"{usage}: {what}" for usage, what in USAGES.items())])),
]
Margin = Annotated[float | None, Parameter(help="Accuracy margin of the verdicts: 0.002 (the default) is 0.2 points.")]

CLAIMS = "\n".join([*(f"{name}: {about}" for name, about in SETS.items()), "FILE.toml: claims of your own"])
"""Which claims there are, a line each."""


def __getattr__(name: str) -> Callable[..., None]:
    """The command of a study, whose flags are its settings."""
    if name not in STUDIES:
        raise AttributeError(f"module 'karikomi.commands' has no attribute {name!r}")
    chosen = find_study(name)

    def command(
        *,
        settings=None,
        out: Out = None,
        quiet: Quiet = False,
        cluster: Cluster = None,
        language: Spoken = DEFAULT,
        track: Track = None,
    ) -> None:
        given: Any = {"out": out, "quiet": quiet, "cluster": cluster, "language": language, "track": track}
        _print_answer(run_and_track(chosen, settings or chosen.settings(), **given), {})

    command.__annotations__["settings"] = Annotated[chosen.settings | None, Parameter(name="*")]
    command.__name__ = name
    return command


def networks() -> None:
    """List the networks by name: how large they are, and which studies take them.

    Parameters and hidden units are those for MNIST, 28 × 28 pixels and 10 classes.
    """
    from karikomi.studies.overview import overview

    numbers = [Column(name, justify="right") for name in ("parameters", "units")]
    meanings = Column("meaning", overflow="fold")
    table = Table(Column("network", no_wrap=True), *numbers, "studies", meanings, "paper", box=None, pad_edge=False)
    for name, entry, parameters, units, studies in overview():
        meaning = f"{name}: {entry.meaning}" if entry.example else entry.meaning
        refused = [study for study in STUDIES if study not in studies]
        taken = f"all but {', '.join(refused)}" if refused else "all"
        table.add_row(entry.example or name, f"{parameters:,}", f"{units:,}", taken, meaning, entry.paper)
    terminal().print(table, markup=False)


def datasets(
    *, get: Annotated[str | None, Parameter(help="Download this one; nothing is downloaded unasked.")] = None
) -> None:
    """List the data sets by name, which of them are here, and the kinds of file; or download one."""
    from karikomi.data import DATASETS, missing

    if get is not None:
        from karikomi.runs.download import download

        terminal().print(f"{download(get)}", soft_wrap=True)
        return
    named = Table(Column("data set", no_wrap=True), "meaning", "here", "paper", box=None, pad_edge=False)
    paths = Table(Column("path", no_wrap=True), "meaning", box=None, pad_edge=False)
    not_here = {name: line for name in DATASETS if (line := missing(name))}
    for name, entry in DATASETS.items():
        if name.startswith("*"):
            paths.add_row(name, entry.meaning)
        else:
            named.add_row(name, entry.meaning, "no" if name in not_here else "yes", entry.paper)
    terminal().print(named, "", paths, "", *not_here.values(), sep="\n", markup=False, soft_wrap=True)


def criteria() -> None:
    """List the criteria for links and for units."""
    from karikomi.removal.scores import LINK_CRITERIA, UNIT_CRITERIA

    _print_registry("criterion for links", LINK_CRITERIA)
    terminal().print()
    _print_registry("criterion for units", UNIT_CRITERIA)


def runs(folder: Annotated[Path, Parameter(help="Where to look.")] = RUNS, /) -> None:
    """List the run folders here."""
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
    terminal().print(table)


def show(run: Run, /, *, margin: Margin = None, language: Spoken = DEFAULT) -> None:
    """Show the answer of a run again."""
    result = result_of(run, language)
    _print_answer(result, _margins(result, margin))


def compare(run: Run, against: Run, /, *, language: Spoken = DEFAULT) -> None:
    """Compare two runs of one study: the first minus the second.

    Replicates of one number are pairs; every condition that both runs have is compared, with 95 % intervals and
    p-values corrected for their number.

    Does a network of regions learn as well as one wired at random? karikomi lottery --network modular-5-60-200-60
    --rounds 1 --out modular; the same with --control matched --out matched; karikomi compare modular matched
    """
    from karikomi.studies.comparison import compare

    terminal().print(compare(result_of(run), result_of(against), language))


def report(run: Run, /, *, margin: Margin = None, language: Spoken = DEFAULT) -> None:
    """Draw a run's figures and page again."""
    result = result_of(run, language)
    result.draw(**_margins(result, margin))
    terminal().print(f"{result.page}", soft_wrap=True)


def reproduce(
    *claims: Annotated[str, Parameter(help=CLAIMS)],
    scale: Annotated[
        Literal["quick", "default", "full"],
        Parameter(help="quick: small runs, in seconds to minutes; default: minutes to an hour; full: their protocol."),
    ] = "default",
    out: Annotated[Path | None, Parameter(help="Folder of the page and the runs; by default in karikomi-runs.")] = None,
    quiet: Quiet = False,
    language: Spoken = DEFAULT,
) -> None:
    """Put published claims to the test.

    Runs the protocol of every claim, and says of each whether it holds, does not hold, or is not decided at this scale:
    by the 95 % interval over replicates, against the threshold in the claim's file. The same command again goes on
    where it was stopped.

    Start with: karikomi reproduce post --scale quick
    """
    from karikomi.reproduction.reproduce import reproduce as put_to_the_test

    found = put_to_the_test(claims, scale=scale, out=out, quiet=quiet, language=language)
    _print_page(found, found.page, language)


def export(
    run: Run,
    /,
    *,
    to: Annotated[
        Path, Parameter(help="File to write, .safetensors; or a folder to share a ticket, as on the Hugging Face Hub.")
    ],
    replicate: Annotated[int, Parameter(help="Which replicate, from 0.")] = 0,
    round: Annotated[int | None, Parameter(help="Lottery: after which pruning round; 0 is the dense network.")] = None,
    cycle: Annotated[int | None, Parameter(help="Ageing: after which cycle; 0 is the healthy network.")] = None,
    arm: Annotated[str | None, Parameter(help="Ageing: in which arm.")] = None,
    pattern: Annotated[str | None, Parameter(help="Ageing: in which pattern of deaths.")] = None,
    variant: Annotated[str | None, Parameter(help="Lottery: of which criterion, rewinding or allocation.")] = None,
) -> None:
    """Write a network of a run to a file, or a ticket to a folder that can be shared."""
    if to.suffix not in ("", ".safetensors"):
        raise InputError(f"a network is written as safetensors; name the file {to.with_suffix('.safetensors')}")
    where: dict[str, Any] = {"round": round, "cycle": cycle, "arm": arm, "pattern": pattern, "variant": variant}
    if to.suffix == "":
        from karikomi.tickets import save_ticket

        save_ticket(result_of(run), to, replicate=replicate, **where)
    else:
        try:
            result_of(run).network(replicate, **where).to_share().save(to)
        except OSError as problem:
            raise InputError(f"cannot write {to}: {problem.strerror}") from problem
    terminal().print(f"{to}", soft_wrap=True)


def _print_registry(kind: str, registry: Registry[Any]) -> None:
    table = Table(Column(kind, no_wrap=True), "meaning", "needs", "paper", box=None, pad_edge=False)
    for name, entry in registry.items():
        table.add_row(name, entry.meaning, ", ".join(entry.needs), entry.paper)
    terminal().print(table, markup=False)


def _folder(run: str) -> RunFolder:
    if Path(run).exists():
        return RunFolder.open(Path(run))
    named = [folder for folder in list_runs(RUNS) if folder.path.name.startswith(run)]
    if len(named) == 1:
        return named[0]
    known = ", ".join(folder.path.name for folder in (named or list_runs(RUNS))) or "none"
    raise InputError(f"there is {'more than one' if named else 'no'} run {run!r}; in {RUNS}: {known}")


def result_of(run: str, language: Language = DEFAULT):
    from karikomi.studies import study_of
    from karikomi.studies.result import Result

    folder = _folder(run)
    result = Result(study_of(folder), folder, language)
    if result.table.empty:
        raise InputError(f"the run {folder.path} has no results yet; the command that began it goes on with it")
    return result


def _margins(result, margin: float | None) -> dict[str, float]:
    if margin is None:
        return {}
    if not result.study.margin:
        raise InputError(f"no verdict of a {result.study.name} run has a margin: {result.folder.path}")
    return {"accuracy_margin": margin}


def _print_answer(result, margins: dict[str, float]) -> None:
    _print_page(result.summary(**margins), result.page, result.language)


def _print_page(answer, page: Path, language: Language) -> None:
    screen = terminal()
    screen.print(answer)
    screen.print()
    if page.exists():
        screen.print(f"{translate('Page', language)}: {page}", soft_wrap=True)


def terminal() -> Console:
    # Into a pipe or file whole lines, not lines cut to a terminal that is not there.
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)
