"""The page docs/performance.md, from the figures of one run."""

from collections.abc import Sequence
from statistics import median

from peak import UNIT

HEAD = """# Performance

Written by `make bench`; the raw figures are in `benchmarks/results.json`. Everything was measured in one run on
one machine:

{machine}

All contestants take turns (A B C, A B C, …), because other work on a machine slows all of them alike: times are
medians over the repetitions, ratios are medians of the ratios within each repetition. Trust the ratios first.
"""

STEPS = """## Training steps

LeNet-300-100 on MNIST, minibatches of 60, Adam with learning rate 0.0012, data in memory, masks as uneven as those of
tickets after 0, 3, 7, 10, 15 and 18 rounds. A step's time is the wall time divided by the steps of all networks that
trained at once, on all {cores} cores unless it says one core. It includes what a training costs once.

How many times faster the sparse engine is:

{ratios}

Microseconds per step:

{times}

- *sparse*: this package's engine, one network per core.
- *PyTorch*: a loop with masks multiplied into the gradients (so that removed weights and Adam's moments stay 0) and
  fused Adam. A dense network has no masks. *prune*: the same loop with `torch.nn.utils.prune`.
- *JAX*: the whole loop under `jit` and `lax.scan`, masks multiplied in.
- *population*: this package's engine for any module, {population}.
- *limit*: two products per surviving link and example, three behind the first layer, at this machine's own peak
  rate, {peak}, as measured between the others.

Each library was given the setup that was the fastest here, chosen at density 0.108: {chosen}. All did the same
work: after 200 steps from the same weights, with the same minibatches, the mean training loss and the loss on the
test images differ from the sparse engine's by {apart} at most (allowed: {tolerance}).
"""

LOTTERY = """## Whole lotteries

Dense networks, tickets and re-initialized tickets, {replicates} replicates, {iterations} iterations each, validated
every 100 iterations on 10,000 images; at the end test accuracy at the early stop and after the last iteration, and
accuracy on all 50,000 training images. *ten rounds*: 20 % of the links a round in every layer. *eighteen rounds*:
10 % in the output layer, as in the paper.

{table}

The script is plain PyTorch with data in memory, masks multiplied in and fused Adam ({script}: the faster choice here).
It is given {scripted} of the very same networks of every round, in turn with the sparse engine, and its time is
multiplied up to all of them, since it trains one after the other; scoring, removal and re-initialization are on the
sparse engine's account alone. The accuracies that the two reach after the last iteration differ by {apart} percentage
points on average.
"""

SCALING = """## How cost grows

Sparse engine, microseconds per step and network, one network per core unless the table says otherwise.

With density (LeNet-300-100). Layers that are still nearly whole use a dense product:

{density}

With width (two hidden layers of that many units):

{width}

With the number of networks in one list (density 0.108). Fewer networks than cores leave cores idle:

{replicates}

With cores, one network on each: how many times faster than one core.

{cores}
"""

MEMORY = """## Peak memory

Of a process that plays the first {rounds} rounds of the lottery ({iterations} iterations), in megabytes. Later rounds
hold fewer links, and tickets of earlier ones are on disk. Both load PyTorch itself: it is most of what is there before
the first network.

{table}

The script trains one network after the other, so that more of them take no more; where it is faster as one process
per core, each of them takes this much.
"""


def page(results: dict) -> str:
    parts = [HEAD.format(machine=_machine(results))]
    for name, section, title in (
        ("steps", _steps, "Training steps"),
        ("lottery", _lottery, "Whole lotteries"),
        ("scaling", _scaling, "How cost grows"),
        ("memory", _memory, "Peak memory"),
    ):
        failure = f"## {title}\n\nThis part failed: {results['failed'].get(name)}.\n"
        parts.append(section(results[name]) if name in results else failure)
    return "\n".join(parts)


def _machine(results: dict) -> str:
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return _table(
        ("", ""),
        [
            ("date", results["date"]),
            ("processor", f"{machine['cpu']} ({machine['llvm']}; {', '.join(machine['vectors'])})"),
            ("cores", machine["cores"]),
            ("system", machine["platform"]),
            ("versions", f"Python {machine['python']}, {versions}"),
        ],
    )


def _steps(steps: dict) -> str:
    rows = steps["densities"]
    names = [name for name in rows[-1]["times"] if not name.startswith("peak")]
    rivals = [name for name in ("PyTorch", "prune", "JAX", "population") if name in names]
    others = ["one core", "over limit", "over limit, one core"]
    ratios = [(_density(row), *(f"{row['ratios'][name]:.2f}" for name in rivals + others)) for row in rows]
    times = [
        (_density(row), *(_short(median(row["times"][name])) for name in names), _short(median(row["limit"])))
        for row in rows
    ]
    rates = {
        name: UNIT / 1e3 / median([t for row in rows for t in row["times"][name]])
        for name in ("peak", "peak, one core")
    }
    missing = "".join(f"\nNot measured: {who} ({why}).\n" for who, why in steps["failed"].items())
    return (
        STEPS.format(
            cores=steps["cores"],
            ratios=_table(("density", *(f"than {name}" for name in rivals), "than on one core", *_LIMITS), ratios),
            times=_table(("density", *names, "limit"), times),
            population=steps["chosen"].get("population", "not measured"),
            peak=f"{rates['peak']:.0f} GFLOP/s on all cores and {rates['peak, one core']:.0f} on one",
            chosen="; ".join(f"{name}: {steps['chosen'][name]}" for name in rivals),
            apart=f"{max(apart for row in rows for name, apart in row['checks'].items() if name in names):.0e}",
            tolerance=steps["tolerance"],
        )
        + missing
    )


_LIMITS = ("time over the limit", "the same on one core")


def _lottery(lottery: dict) -> str:
    rows = [
        (
            name,
            sum(one["networks"].values()),
            f"{sum(one['sparse']):.1f} s",
            f"{sum(one['script']):.1f} s",
            f"{one['ratio']:.1f}",
            f"{one['script'][0] / one['sparse'][0]:.1f}",
            f"{one['script'][-1] / one['sparse'][-1]:.1f}",
        )
        for name, one in lottery["lotteries"].items()
    ]
    head = ("lottery", "networks", "sparse", "PyTorch script", "times faster", "in round 0", "in the last round")
    apart = max(one["accuracy_apart"] for one in lottery["lotteries"].values())
    return LOTTERY.format(
        **{name: lottery[name] for name in ("replicates", "iterations", "script", "scripted")},
        table=_table(head, rows),
        apart=f"{100 * apart:.2f}",
    )


def _scaling(scaling: dict) -> str:
    density = [
        (_density(row), row["links"], _short(row["microseconds"]), f"{1e3 * row['microseconds'] / row['links']:.2f}")
        for row in scaling["density"]
    ]
    by_width: dict[str, dict[str, str]] = {}
    for row in scaling["width"]:
        by_width.setdefault(row["network"], {})["dense" if row["round"] == 0 else "ticket"] = _short(
            row["microseconds"]
        )
    width = [(name, cells["dense"], cells["ticket"]) for name, cells in by_width.items()]
    replicates = [(row["networks"], _short(row["microseconds"])) for row in scaling["replicates"]]
    cores = [
        (_density(row), row["threads"], _short(row["microseconds"]), f"{row['speedup']:.2f}")
        for row in scaling["more cores"]
    ]
    return SCALING.format(
        density=_table(("density", "links", "µs", "ns per link"), density),
        width=_table(("network", "µs at density 1", "µs at density 0.11"), width),
        replicates=_table(("networks", "µs"), replicates),
        cores=_table(("density", "cores", "µs", "times faster"), cores),
    )


def _memory(memory: dict) -> str:
    names = {
        "sparse 0": "sparse engine, before the first network",
        "script 0": "PyTorch script, before the first network",
        "script 3": "PyTorch script, three networks",
    }
    rows = [
        (names.get(case, f"sparse engine, replicates: {case.removeprefix('sparse ')}"), f"{megabytes:.0f}")
        for case, megabytes in memory["megabytes"].items()
    ]
    return MEMORY.format(rounds=memory["rounds"], iterations=memory["iterations"], table=_table(("", "MB"), rows))


def _density(row: dict) -> str:
    return f"{row['density']:.3f}".rstrip("0").rstrip(".")


def _short(microseconds: float) -> str:
    return f"{microseconds:.0f}" if microseconds >= 100 else f"{microseconds:.1f}"


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
