"""The command ``karikomi``: one subcommand per study, whose flags are the study's settings."""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError
from rich.console import Console

from karikomi import commands, run_commands
from karikomi.errors import InputError
from karikomi.studies import STUDIES, help_of, unwrapped

WRONG_INPUT = 2

app = App(
    name="karikomi",
    help="Experiments on neural networks that lose parts of themselves: lottery tickets, lesions, ageing.",
    help_format="plaintext",
    help_epilogue="Start with: karikomi lottery --preset quick",
    # Lists take several values (--arms dense ticket), and every parameter is a flag unless it says otherwise.
    default_parameter=Parameter(consume_multiple=True, negative=()),
)
# By name, so that --help loads none of them.
for study in STUDIES:
    app.command(f"karikomi.commands:{study}", name=study, help=help_of(study))
for name in ("runs", "show", "compare", "report", "reproduce", "networks", "datasets", "criteria", "export"):
    command = getattr(commands, name)
    app.command(command, help=unwrapped(command))
for command in (run_commands.figure, run_commands.table, run_commands.plan, run_commands.track, run_commands.serve):
    app.command(command, help=unwrapped(command))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; what the user gave wrong costs one line on stderr and exit status 2."""
    try:
        app(arguments, exit_on_error=False, print_error=False)
    except (InputError, CycloptsError) as problem:
        _complain(_one_line(problem))
        sys.exit(WRONG_INPUT)
    except KeyboardInterrupt:
        _complain("stopped; the same command goes on from here")
        sys.exit(130)
    except BrokenPipeError:  # whoever reads has seen enough
        sys.exit(0)
    except OSError as problem:
        _complain(f"{problem}; the same command goes on from what is written")
        sys.exit(1)


def _one_line(problem: Exception) -> str:
    from pydantic import ValidationError

    from karikomi.studies.training import explain

    cause = problem
    while cause is not None:
        if isinstance(cause, InputError):
            return str(cause)
        if isinstance(cause, ValidationError):
            return explain(cause, prefix="--")
        cause = cause.__cause__ or cause.__context__
    if isinstance(problem, UnusedCliTokensError):
        return f"what is {' '.join(problem.unused_tokens or [])!r}? Settings are given by name; see --help"
    return " ".join(str(problem).split())


def _complain(line: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"karikomi: {line}", markup=False)


if __name__ == "__main__":
    main()
