"""The page docs/performance.md, from the figures of one run."""

import json
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from peak import UNIT
from texts import (
    CHANNELS,
    CONVOLUTIONS,
    GROW,
    HEAD,
    KERNELS,
    LESIONS,
    LOTTERY,
    MEMORY,
    MODELS,
    SCALING,
    SPARSE,
    STEPS,
    TRAINING,
)


def page(results: dict) -> str:
    parts = [HEAD.format(machine=_machine(results))]
    for name, section, title in (
        ("steps", _steps, "Training steps"),
        ("sparse", _sparse, "Training of few links"),
        ("kernels", _kernels, "Where the time goes"),
        ("training", _training, "Training of any network"),
        ("convolutions", _convolutions, "Convolutional networks"),
        ("grow", _grow, "Links that go and grow"),
        ("lottery", _lottery, "Whole lotteries"),
        ("lesions", _lesions, "Lesions"),
        ("channels", _channels, "Lesions of convolutional networks"),
        ("models", _models, "Lesions of any model"),
        ("scaling", _scaling, "How cost grows"),
        ("memory", _memory, "Peak memory"),
    ):
        reason = results["failed"].get(name)
        missing = f"This part failed: {reason}." if reason else f"Not measured yet: `make bench BENCH={name}` does."
        parts.append(section(results[name]) if name in results else f"## {title}\n\n{missing}\n")
    return "\n".join(parts)


def _machine(results: dict) -> str:
    """One column per machine that parts were measured on, the parts that share it together."""
    columns: dict[str, list[str]] = {}
    for part, date in results["dates"].items():
        columns.setdefault(json.dumps(results["machines"][part]), []).append(f"{part} {date}")
    machines = [(", ".join(parts), json.loads(machine)) for machine, parts in columns.items()]
    return _table(
        ("", *[""] * len(machines)),
        [
            ("parts", *(parts for parts, _ in machines)),
            ("processor", *(f"{one['cpu']} ({one['llvm']}; {', '.join(one['vectors'])})" for _, one in machines)),
            ("cores", *(one["cores"] for _, one in machines)),
            ("system", *(one["platform"] for _, one in machines)),
            ("versions", *(f"Python {one['python']}, {_versions(one['versions'])}" for _, one in machines)),
        ],
    )


def _versions(versions: dict) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


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


def _sparse(sparse: dict) -> str:
    points = sparse["points"]
    chosen = {(name, setup) for point in points for name, setup in point["chosen"].items() if "engine" not in name}
    failed = {f"{who}: {why}" for point in points for who, why in point["failed"].items()}
    return SPARSE.format(
        cores=sparse["cores"],
        tolerance=sparse["tolerance"],
        ratios=_by_density(points, "ratios", lambda times_faster: f"{times_faster:.2f}"),
        times=_by_density(points, "times", lambda times: _short(median(times))),
        chosen="; ".join(f"{name}: {setup}" for name, setup in sorted(chosen)),
        apart=f"{max(apart for point in points for apart in point['checks'].values()):.0e}",
    ) + "".join(f"\nNot measured: {what}.\n" for what in sorted(failed))


def _kernels(kernels: dict) -> str:
    rows = []
    for point in kernels["points"]:
        density, passes = _density(point), ("forward", "back", "learn")
        for number, layer in enumerate(point["layers"]):
            times = [_short(layer[name]) if layer[name] else "" for name in passes]
            rows.append((density, f"layer {number + 1}", f"{layer['links']:,}", *times, _short(layer["limit"])))
        limit = sum(layer["limit"] * (2 + (number > 0)) for number, layer in enumerate(point["layers"]))
        rest = f"gathering {_short(point['gather'])}, loss {_short(point['loss'])}"
        rows.append((density, f"whole step: {_short(point['step'])}", rest, "", "", "", _short(limit)))
    head = ("density", "", "links", "forward", "back to inputs", "gradient and Adam", "limit of each")
    peak = max(point["peak"] for point in kernels["points"]) / 1e9
    return KERNELS.format(batch=kernels["batch"], peak=f"{peak:.0f}", table=_table(head, rows))


def _training(training: dict) -> str:
    rows = [
        (
            name,
            *(_short(median(one["times"][who])) for who in ("loop", "compiled", "one", "several")),
            *(f"{one['ratios'][who]:.2f}" for who in ("one", "several")),
        )
        for name, one in training["networks"].items()
    ]
    head = ("network", "loop", "compiled", "one", "several", "one: times faster", "several: times faster")
    apart = max(one["apart"] for one in training["networks"].values())
    return TRAINING.format(several=training["several"], table=_table(head, rows), apart=f"{apart:.0e}")


def _convolutions(part: dict) -> str:
    points, lottery = part["points"], part["lottery"]
    limits: dict[tuple[str, str], dict[float, float]] = {}
    for one in part["limits"]:
        for layer, over in one["layers"].items():
            limits.setdefault((one["network"], layer), {})[one["density"]] = over
    densities = sorted({one["density"] for one in part["limits"]}, reverse=True)
    rows = [(*names, *(f"{over[density]:.2f}" for density in densities)) for names, over in limits.items()]
    chosen = {(point["network"], point["chosen"]["sparseprop"]) for point in points if "sparseprop" in point["chosen"]}
    failed = {f"{who} with {point['network']}: {why}" for point in points for who, why in point["failed"].items()}
    kept = [apart for point in points for name, apart in point["checks"].items() if name in point["times"]]
    return CONVOLUTIONS.format(
        trained=part["trained"],
        checked=part["checked"],
        tolerance=part["tolerance"],
        ratios=_by_density(points, "ratios", lambda times_faster: f"{times_faster:.2f}"),
        times=_by_density(points, "times", lambda times: _short(median(times))),
        sparseprop="; ".join(f"{name}: {setup}" for name, setup in sorted(chosen)) or "not measured",
        apart=f"{max(kept):.0e}",
        limits=_table(("network", "convolution", *(f"density {density}" for density in densities)), rows),
        rounds=lottery["rounds"],
        iterations=lottery["iterations"],
        sparse=f"{sum(lottery['sparse']):.0f} s",
        script=f"{sum(lottery['script']):.0f} s",
        processes=lottery["processes"],
        ratio=f"{lottery['ratio']:.1f}",
        accuracy=f"{100 * lottery['accuracy_apart']:.2f}",
    ) + "".join(f"\nNot measured: {what}.\n" for what in sorted(failed))


def _by_density(points: Sequence[dict], what: str, shown: Callable[[Any], str]) -> str:
    """Some figures of every network at every density, a column for each name."""
    names = list(dict.fromkeys(name for point in points for name in point[what]))
    cells = [[shown(point[what][name]) if name in point[what] else "" for name in names] for point in points]
    rows = [(point["network"], _density(point), *row) for point, row in zip(points, cells, strict=True)]
    return _table(("network", "density", *names), rows)


def _grow(grow: dict) -> str:
    rows = [
        (
            point["arm"],
            _density(point),
            *(f"{100 * point['shares'][name]:.1f} %" for name in ("validated", "not validated")),
            *(_short(point["parts"][name]) for name in ("choose", "change")),
            _short(point["steps"]),
        )
        for point in grow["points"]
    ]
    head = ("arm", "density", "share", "without validation", "µs to choose", "to change", f"{grow['every']} steps")
    return GROW.format(every=grow["every"], table=_table(head, rows))


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
    kinds = {"sparse": "sparse engine, replicates", "streamed": "knock-outs, examples of a DataLoader"}

    def name(case: str) -> str:
        kind, many = case.split()
        return names.get(case) or f"{kinds[kind]}: {int(many):,}"

    rows = [(name(case), f"{megabytes:.0f}") for case, megabytes in memory["megabytes"].items()]
    return MEMORY.format(rounds=memory["rounds"], iterations=memory["iterations"], table=_table(("", "MB"), rows))


def _lesions(lesions: dict) -> str:
    def row(name: str, one: dict) -> tuple[str, ...]:
        rivals = [f"{one[rival]:.1f} s" if rival in one else "" for rival in ("pass each", "cached")]
        faster = [f"{one[f'ratio {rival}']:.0f}" if rival in one else "" for rival in ("pass each", "cached")]
        return name, f"{one['sparse']:.3f} s", *rivals, *faster

    head = ("lesions", "sparse", "a pass each", "cached", "times faster than a pass each", "than cached")
    graph = lesions["betweenness"]
    return LESIONS.format(
        **{name: f"{lesions[name]:,}" for name in ("examples", "sampled", "apart", "answers")},
        times=_table(head, [row(name, one) for name, one in lesions["times"].items()]),
        nodes=f"{graph['nodes']:,}",
        links=f"{graph['links']:,}",
        betweenness=_table(
            ("karikomi", "networkx", "times faster"),
            [(f"{graph['karikomi']:.3f} s", f"{graph['networkx']:.1f} s", f"{graph['ratio']:.0f}")],
        ),
    )


def _channels(channels: dict) -> str:
    rows = [
        (
            name,
            one["images"],
            one["channels"],
            f"{one['karikomi']:.2f} s",
            f"{one['pass each']:.1f} s",
            f"{one['ratio']:.0f}",
        )
        for name, one in channels["networks"].items()
    ]
    head = ("network", "images", "channels", "karikomi", "a pass each", "times faster")
    return CHANNELS.format(sampled=channels["sampled"], table=_table(head, rows))


def _models(models: dict) -> str:
    rows = []
    for name, one in models["models"].items():
        rivals = [f"{one[rival]:.1f} s" if rival in one else "" for rival in ("hooks", "captum")]
        faster = [f"{one[rival] / one['karikomi']:.1f}" if rival in one else "" for rival in ("hooks", "captum")]
        rows.append((name, one["units"], f"{one['karikomi']:.1f} s", *rivals, *faster))
    head = ("lesions", "units", "karikomi", "hooks", "captum", "times faster than hooks", "than captum")
    return MODELS.format(images=f"{models['images']:,}", sequences=models["sequences"], table=_table(head, rows))


def _density(row: dict) -> str:
    return f"{row['density']:.3f}".rstrip("0").rstrip(".")


def _short(microseconds: float) -> str:
    return f"{microseconds:.0f}" if microseconds >= 100 else f"{microseconds:.1f}"


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
