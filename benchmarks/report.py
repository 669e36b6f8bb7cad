"""The page docs/performance.md, from the figures of one run."""

import json

from lesion_sections import channels_section, lesions_section, models_section
from tables import table
from texts import HEAD, MEMORY
from training_sections import (
    convolutions_section,
    grow_section,
    kernels_section,
    lottery_section,
    scaling_section,
    sparse_section,
    steps_section,
    training_section,
)


def page(results: dict) -> str:
    parts = [HEAD.format(machine=_machine(results))]
    for name, section, title in (
        ("steps", steps_section, "Training steps"),
        ("sparse", sparse_section, "Training of few links"),
        ("kernels", kernels_section, "Where the time goes"),
        ("training", training_section, "Training of any network"),
        ("convolutions", convolutions_section, "Convolutional networks"),
        ("grow", grow_section, "Links that go and grow"),
        ("lottery", lottery_section, "Whole lotteries"),
        ("lesions", lesions_section, "Lesions"),
        ("channels", channels_section, "Lesions of convolutional networks"),
        ("models", models_section, "Lesions of any model"),
        ("scaling", scaling_section, "How cost grows"),
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
    return table(
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
    return MEMORY.format(rounds=memory["rounds"], iterations=memory["iterations"], table=table(("", "MB"), rows))
