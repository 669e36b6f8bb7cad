"""The command ``karikomi``: one subcommand per study, whose flags are the study's settings."""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError
from rich.console import Console

from karikomi.errors import InputError

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
app.command(
    "karikomi.commands:lottery",
    name="lottery",
    help="Find winning tickets: train, remove, rewind, again."
    "\n\nTrains a network, removes its lowest links, returns the others to their initial weights and trains again,"
    " round by round, in several replicates and beside controls. Ends with the answer: means with 95 % intervals,"
    " differences paired by replicate, a verdict per density, and a page with figures. The same command again goes on"
    " where it was stopped; a finished run answers at once."
    "\n\nThe post's experiment: karikomi lottery"
    "\n\nWith more controls: karikomi lottery --arms ticket reinit shuffled random --reinits 3"
    "\n\nAnother network: karikomi lottery --network mlp-64-64 --criterion magnitude-increase --scope global",
)
app.command(
    "karikomi.commands:lesion",
    name="lesion",
    help="Remove neurons one after the other: along which order does a network fail?"
    "\n\nTrains a network in several replicates (or takes yours), scores its units on training examples, and removes"
    " them all, one by one, the highest scores first and the lowest first, beside random orders and random orders"
    " within the layers. Every step is measured on the whole test set. Ends with the answer: robustness R with 95 %"
    " intervals, differences from random orders paired by replicate, where the cliff is, and a page with figures."
    " The same command again goes on where it was stopped; a finished run answers at once."
    "\n\nThe post's question: karikomi lesion"
    "\n\nIn seconds: karikomi lesion --preset quick"
    "\n\nScored again and again: karikomi lesion --criteria taylor knock-out --timing static adaptive --every 8"
    "\n\nYour networks: karikomi lesion --network mlp-256-256 --models a.safetensors b.safetensors",
)
app.command(
    "karikomi.commands:importance",
    name="importance",
    help="Remove each neuron alone: which are critical, and which scores tell?"
    "\n\nTrains a network in several replicates (or takes yours) and measures on the whole test set what the loss of"
    " each unit alone costs, in loss, accuracy and by class; what it adds on average when others are gone too (Shapley"
    " values); and what pairs of critical units cost together. Ends with the answer: Spearman's correlation of every"
    " score with criticality within layers, with 95 % intervals and corrected for their number, alone and with"
    " in-strength and mean activation held constant; where critical units are, how redundant units are, and a page with"
    " figures. The same command again goes on where it was stopped; a finished run answers at once."
    "\n\nThe question itself: karikomi importance"
    "\n\nIn seconds: karikomi importance --preset quick"
    "\n\nTwo rivals, finer Shapley values: karikomi importance --criteria taylor betweenness-inverse --shapley 100"
    "\n\nYour networks: karikomi importance --network mlp-256-256 --models a.safetensors b.safetensors",
)
app.command(
    "karikomi.commands:ageing",
    name="ageing",
    help="Let neurons die cycle by cycle, and the network relearn: does it hold, and by what?"
    "\n\nTrains a network in several replicates (or takes yours). In every cycle some units die, the same in all arms;"
    " what is left is measured on the test set, trains for a fixed number of steps, and is measured again. Beside it"
    " the same network ages without training, trains as long without deaths, or is trained anew at its new size; and"
    " deaths in one region stand beside as many scattered ones. Ends with the answer: accuracy after a life with 95 %"
    " intervals, differences paired by replicate, and a page with figures. The same command again goes on where it was"
    " stopped; a finished run answers at once."
    "\n\nThe notebooks' protocol: karikomi ageing"
    "\n\nIn seconds: karikomi ageing --preset quick"
    "\n\nRegion by region: karikomi ageing --network modular-5-60-200-60 --patterns regional scattered --regions 1 3 4"
    "\n\nLinks: karikomi ageing --network modular-5-60-200-200-60 --patterns local long-range --deaths 50 --cycles 10"
    "\n\nYour networks: karikomi ageing --network mlp-256-256 --models a.safetensors b.safetensors",
)
app.command("karikomi.commands:runs", name="runs", help="List the run folders here.")
app.command("karikomi.commands:show", name="show", help="Show the answer of a run again.")
app.command(
    "karikomi.commands:compare",
    name="compare",
    help="Compare two runs of one study: the first minus the second."
    "\n\nReplicates of one number are pairs; every condition that both runs have is compared, with 95 % intervals and"
    " p-values corrected for their number."
    "\n\nDoes a network of regions learn as well as one wired at random? karikomi lottery --network modular-5-60-200-60"
    " --rounds 1 --out modular; the same with --control matched --out matched; karikomi compare modular matched",
)
app.command("karikomi.commands:report", name="report", help="Draw a run's figures and page again.")
app.command("karikomi.commands:export", name="export", help="Write a network of a run to a file.")


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

    from karikomi.studies.settings import explain

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
