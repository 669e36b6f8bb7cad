"""What training costs, as sections of the page."""

from statistics import median

from peak import UNIT
from tables import by_density, density_of, short, table
from texts import CONVOLUTIONS, GROW, KERNELS, LOTTERY, SCALING, SPARSE, STEPS, TRAINING

_LIMITS = ("time over the limit", "the same on one core")


def steps_section(steps: dict) -> str:
    rows = steps["densities"]
    names = [name for name in rows[-1]["times"] if not name.startswith("peak")]
    rivals = [name for name in ("PyTorch", "prune", "JAX", "population") if name in names]
    others = ["one core", "over limit", "over limit, one core"]
    ratios = [(density_of(row), *(f"{row['ratios'][name]:.2f}" for name in rivals + others)) for row in rows]
    times = [
        (density_of(row), *(short(median(row["times"][name])) for name in names), short(median(row["limit"])))
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
            ratios=table(("density", *(f"than {name}" for name in rivals), "than on one core", *_LIMITS), ratios),
            times=table(("density", *names, "limit"), times),
            population=steps["chosen"].get("population", "not measured"),
            peak=f"{rates['peak']:.0f} GFLOP/s on all cores and {rates['peak, one core']:.0f} on one",
            chosen="; ".join(f"{name}: {steps['chosen'][name]}" for name in rivals),
            apart=f"{max(apart for row in rows for name, apart in row['checks'].items() if name in names):.0e}",
            tolerance=steps["tolerance"],
        )
        + missing
    )


def sparse_section(sparse: dict) -> str:
    points = sparse["points"]
    chosen = {(name, setup) for point in points for name, setup in point["chosen"].items() if "engine" not in name}
    failed = {f"{who}: {why}" for point in points for who, why in point["failed"].items()}
    return SPARSE.format(
        cores=sparse["cores"],
        tolerance=sparse["tolerance"],
        ratios=by_density(points, "ratios", lambda times_faster: f"{times_faster:.2f}"),
        times=by_density(points, "times", lambda times: short(median(times))),
        chosen="; ".join(f"{name}: {setup}" for name, setup in sorted(chosen)),
        apart=f"{max(apart for point in points for apart in point['checks'].values()):.0e}",
    ) + "".join(f"\nNot measured: {what}.\n" for what in sorted(failed))


def kernels_section(kernels: dict) -> str:
    rows = []
    for point in kernels["points"]:
        density, passes = density_of(point), ("forward", "back", "learn")
        for number, layer in enumerate(point["layers"]):
            times = [short(layer[name]) if layer[name] else "" for name in passes]
            rows.append((density, f"layer {number + 1}", f"{layer['links']:,}", *times, short(layer["limit"])))
        limit = sum(layer["limit"] * (2 + (number > 0)) for number, layer in enumerate(point["layers"]))
        rest = f"gathering {short(point['gather'])}, loss {short(point['loss'])}"
        rows.append((density, f"whole step: {short(point['step'])}", rest, "", "", "", short(limit)))
    head = ("density", "", "links", "forward", "back to inputs", "gradient and Adam", "limit of each")
    peak = max(point["peak"] for point in kernels["points"]) / 1e9
    return KERNELS.format(batch=kernels["batch"], peak=f"{peak:.0f}", table=table(head, rows))


def training_section(training: dict) -> str:
    rows = [
        (
            name,
            *(short(median(one["times"][who])) for who in ("loop", "compiled", "one", "several")),
            *(f"{one['ratios'][who]:.2f}" for who in ("one", "several")),
        )
        for name, one in training["networks"].items()
    ]
    head = ("network", "loop", "compiled", "one", "several", "one: times faster", "several: times faster")
    apart = max(one["apart"] for one in training["networks"].values())
    return TRAINING.format(several=training["several"], table=table(head, rows), apart=f"{apart:.0e}")


def convolutions_section(part: dict) -> str:
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
        ratios=by_density(points, "ratios", lambda times_faster: f"{times_faster:.2f}"),
        times=by_density(points, "times", lambda times: short(median(times))),
        sparseprop="; ".join(f"{name}: {setup}" for name, setup in sorted(chosen)) or "not measured",
        apart=f"{max(kept):.0e}",
        limits=table(("network", "convolution", *(f"density {density}" for density in densities)), rows),
        rounds=lottery["rounds"],
        iterations=lottery["iterations"],
        sparse=f"{sum(lottery['sparse']):.0f} s",
        script=f"{sum(lottery['script']):.0f} s",
        processes=lottery["processes"],
        ratio=f"{lottery['ratio']:.1f}",
        accuracy=f"{100 * lottery['accuracy_apart']:.2f}",
    ) + "".join(f"\nNot measured: {what}.\n" for what in sorted(failed))


def grow_section(grow: dict) -> str:
    rows = [
        (
            point["arm"],
            density_of(point),
            *(f"{100 * point['shares'][name]:.1f} %" for name in ("validated", "not validated")),
            *(short(point["parts"][name]) for name in ("choose", "change")),
            short(point["steps"]),
        )
        for point in grow["points"]
    ]
    head = ("arm", "density", "share", "without validation", "µs to choose", "to change", f"{grow['every']} steps")
    return GROW.format(every=grow["every"], table=table(head, rows))


def lottery_section(lottery: dict) -> str:
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
        table=table(head, rows),
        apart=f"{100 * apart:.2f}",
    )


def scaling_section(scaling: dict) -> str:
    density = [
        (density_of(row), row["links"], short(row["microseconds"]), f"{1e3 * row['microseconds'] / row['links']:.2f}")
        for row in scaling["density"]
    ]
    by_width: dict[str, dict[str, str]] = {}
    for row in scaling["width"]:
        by_width.setdefault(row["network"], {})["dense" if row["round"] == 0 else "ticket"] = short(row["microseconds"])
    width = [(name, cells["dense"], cells["ticket"]) for name, cells in by_width.items()]
    replicates = [(row["networks"], short(row["microseconds"])) for row in scaling["replicates"]]
    cores = [
        (density_of(row), row["threads"], short(row["microseconds"]), f"{row['speedup']:.2f}")
        for row in scaling["more cores"]
    ]
    return SCALING.format(
        density=table(("density", "links", "µs", "ns per link"), density),
        width=table(("network", "µs at density 1", "µs at density 0.11"), width),
        replicates=table(("networks", "µs"), replicates),
        cores=table(("density", "cores", "µs", "times faster"), cores),
    )
