"""The toolkit from Python: a function per study, made from the study's entry; runs that are there."""

import inspect
import textwrap
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from karikomi.data.dataset import Dataset
from karikomi.errors import InputError
from karikomi.language import DEFAULT, Language, check_language
from karikomi.registration import register_model
from karikomi.reproduction.reproduce import Reproduction
from karikomi.reproduction.reproduce import reproduce as put_to_the_test
from karikomi.runs.folder import RunFolder
from karikomi.studies import POWER, STUDIES, find_study, help_of, study_of
from karikomi.studies.comparison import Comparison
from karikomi.studies.comparison import compare as compare_results
from karikomi.studies.planning import Plan
from karikomi.studies.planning import plan as plan_replicates
from karikomi.studies.result import Result
from karikomi.studies.settings import OWN, StudySettings
from karikomi.tracking import USAGES, run_and_track

if TYPE_CHECKING:
    from torch import nn

ARGUMENTS = {
    "model": (
        "nn.Module | Callable[..., nn.Module] | None",
        None,
        "your own network instead of the setting network: a function that builds it afresh from nothing, or from a"
        " sample's shape and the number of classes (initial weights are then those that it draws, seeded); or an"
        " nn.Module, whose weights are drawn anew by its layers' reset_parameters.",
    ),
    "models": (
        "Sequence[nn.Module | str | Path]",
        (),
        "your own trained networks, one per replicate: modules of one architecture, or safetensors files with the"
        " weights of the setting network; nothing is trained before them then.",
    ),
    "data": (
        "Dataset | str",
        "mnist",
        "a data set by name, the path of a file or folder, or a Dataset (Dataset.from_arrays).",
    ),
    "out": ("str | Path | None", None, "the run folder; by default one in karikomi-runs, named by the settings."),
    "quiet": ("bool", False, "show no progress."),
    "cluster": (
        "str | None",
        None,
        "a Dask scheduler, tcp://HOST:PORT, or local:N to start one here with N processes.",
    ),
    "language": ("Language", DEFAULT, "of the summary and of the page that the run ends in: en or ja."),
    "track": ("str | None", None, f"where to send the finished run: {', '.join(USAGES)}."),
}
"""What a study takes beside its settings: type, default and meaning."""


DOCSTRING = """{help}

Args:
{arguments}

Returns:
    The result: ``table``, ``summary()``, ``figure(name)``, ``network(replicate)``.

Raises:
    InputError: if something given is wrong; nothing is written then.
"""


def __getattr__(name: str) -> Callable[..., Result]:
    if name not in STUDIES:
        raise AttributeError(f"module 'karikomi.api' has no attribute {name!r}")
    return _function(name)


@cache
def _function(name: str) -> Callable[..., Result]:
    """The function of a study, with its settings as named parameters."""
    chosen = find_study(name)

    def function(**given: Any) -> Result:
        arguments = {key: given.pop(key, default) for key, (_, default, _) in ARGUMENTS.items()}
        return _run(chosen.settings, name, given, **arguments)

    settings = {
        key: field
        for key, field in chosen.settings.model_fields.items()
        if key not in ARGUMENTS and not any(getattr(about, "parse", None) is False for about in field.metadata)
    }
    taken = [key for key in ARGUMENTS if key != "models" or "models" in chosen.settings.model_fields]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(k, keyword, default=ARGUMENTS[k][1], annotation=ARGUMENTS[k][0]) for k in taken]
    parameters += [
        inspect.Parameter(key, keyword, default=field.default, annotation=field.annotation)
        for key, field in settings.items()
    ]
    lines = [f"{key}: {ARGUMENTS[key][2]}" for key in taken]
    lines += [f"{key}: {field.description}{_choices(field.annotation)}" for key, field in settings.items()]
    function.__doc__ = DOCSTRING.format(
        help="\n\n".join(map(textwrap.fill, help_of(name).split("\n\n"))),
        arguments="\n".join(
            textwrap.fill(line, 116, initial_indent="    ", subsequent_indent="        ") for line in lines
        ),
    )
    function.__name__ = function.__qualname__ = name
    function.__module__ = "karikomi"
    function.__signature__ = inspect.Signature(parameters, return_annotation=Result)  # pyright: ignore[reportFunctionMemberAccess]
    return function


def _choices(annotation: Any) -> str:
    choices = [choice for choice in get_args(annotation) if isinstance(choice, str)]
    return f" One of {', '.join(choices)}." if choices else ""


def _run(
    settings: type[StudySettings],
    name: str,
    given: dict[str, Any],
    *,
    model: "nn.Module | Callable[..., nn.Module] | None",
    models: "Sequence[nn.Module | str | Path]",
    data: Dataset | str,
    out: str | Path | None,
    quiet: bool,
    cluster: str | None,
    language: Language,
    track: str | None,
) -> Result:
    named, own = (data, None) if isinstance(data, str) else (data.name, data)
    files = [str(model) for model in models if isinstance(model, str | Path)]
    modules = [model for model in models if not isinstance(model, str | Path)]
    if files and modules:
        raise InputError("models are modules or files, not both")
    if model is not None:
        if modules or "network" in given:
            raise InputError("model is a network to train; give it alone, without models or network")
        given = {"network": register_model(model, named if own is None else own), **given}
    which = {"models": files} if files else {"network": OWN, "replicates": len(modules)} if modules else {}
    chosen = settings.of(**{**which, **given, **({"network": OWN} if modules else {}), "data": named})
    where = Path(out) if out else None
    how: Any = {"out": where, "quiet": quiet, "cluster": cluster, "language": language, "track": track}
    return run_and_track(find_study(name), chosen, data=own, models=modules, **how)


def compare(run: Result | str | Path, against: Result | str | Path, *, language: Language = DEFAULT) -> Comparison:
    """What differs between two runs of one study: the first minus the second, paired by replicate.

    Shows itself in a notebook; ``differences`` is a pandas DataFrame with intervals and corrected p-values.

    Args:
        run: a result, or the folder of a run.
        against: another one of the same study, whose settings differ.
        language: en or ja.

    Raises:
        InputError: if there is nothing to compare, or a folder is no run folder.
    """
    check_language(language)
    first, second = (each if isinstance(each, Result) else load(each) for each in (run, against))
    return compare_results(first, second, language)


def plan(
    run: Result | str | Path,
    difference: float | None = None,
    *,
    power: float = POWER,
    measure: str | None = None,
    language: Language = DEFAULT,
) -> Plan:
    """How many replicates would show a difference, in each comparison of a run, from its own paired spread.

    By the power of a two-sided paired t-test at 0.05 (noncentral t), and with Holm's correction; and which difference
    the present number shows. Shows itself in a notebook; ``comparisons`` is a pandas DataFrame.

    Args:
        run: a result, or the folder of a run.
        difference: what is to be shown, in the measure's unit; by default 0.1 points of accuracy, of another measure
            ten in the last digit that its answer shows.
        power: with which probability it is to be shown, if it is there.
        measure: by which measure; by default the first of those that compare runs of the study.
        language: en or ja.

    Raises:
        InputError: for a study without comparisons, a run of one replicate, or a measure that it does not compare.
    """
    check_language(language)
    return plan_replicates(run if isinstance(run, Result) else load(run), difference, power, measure, language)


def load(path: str | Path, *, language: Language = DEFAULT) -> Result:
    """The result of an earlier run, from its folder; of an unfinished run, what is there so far.

    Args:
        path: the run folder.
        language: of its summary, and of what it writes (page, images, figures, tables): en or ja.

    Raises:
        InputError: if it is no run folder, or damaged.
    """
    folder = RunFolder.open(Path(path))
    return Result(study_of(folder), folder, language)


def reproduce(
    *claims: str | Path,
    scale: Literal["quick", "default", "full"] = "default",
    out: str | Path | None = None,
    quiet: bool = False,
    language: Language = DEFAULT,
) -> Reproduction:
    """Put published claims to the test: run their protocols, and say of each whether it holds.

    A claim holds if the 95 % interval over replicates lies wholly where it says, does not hold if it lies wholly
    elsewhere, and is else not decided at this scale. Shows itself in a notebook; ``claims`` is a pandas DataFrame.
    Runs that are there already are not repeated.

    Args:
        claims: sets by name (post, notebooks, lottery-paper, sanity, masks, growth), or paths of TOML files of your
            own.
        scale: quick: in seconds to minutes; default: in minutes to an hour; full: their protocol.
        out: folder of the tables, the page and the runs; by default in karikomi-runs.
        quiet: show no progress.
        language: of the answer and of the page: en or ja.

    Raises:
        InputError: if there are no such claims, or something in a file of them is wrong.
    """
    return put_to_the_test(claims, scale=scale, out=Path(out) if out else None, quiet=quiet, language=language)
