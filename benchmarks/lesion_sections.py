"""What lesions cost, as sections of the page."""

from tables import table
from texts import CHANNELS, LESIONS, MODELS


def lesions_section(lesions: dict) -> str:
    def row(name: str, one: dict) -> tuple[str, ...]:
        rivals = [f"{one[rival]:.1f} s" if rival in one else "" for rival in ("pass each", "cached")]
        faster = [f"{one[f'ratio {rival}']:.0f}" if rival in one else "" for rival in ("pass each", "cached")]
        return name, f"{one['sparse']:.3f} s", *rivals, *faster

    head = ("lesions", "sparse", "a pass each", "cached", "times faster than a pass each", "than cached")
    graph = lesions["betweenness"]
    return LESIONS.format(
        **{name: f"{lesions[name]:,}" for name in ("examples", "sampled", "apart", "answers")},
        times=table(head, [row(name, one) for name, one in lesions["times"].items()]),
        nodes=f"{graph['nodes']:,}",
        links=f"{graph['links']:,}",
        betweenness=table(
            ("karikomi", "networkx", "times faster"),
            [(f"{graph['karikomi']:.3f} s", f"{graph['networkx']:.1f} s", f"{graph['ratio']:.0f}")],
        ),
    )


def channels_section(channels: dict) -> str:
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
    return CHANNELS.format(sampled=channels["sampled"], table=table(head, rows))


def models_section(models: dict) -> str:
    rows = []
    for name, one in models["models"].items():
        rivals = [f"{one[rival]:.1f} s" if rival in one else "" for rival in ("hooks", "captum")]
        faster = [f"{one[rival] / one['karikomi']:.1f}" if rival in one else "" for rival in ("hooks", "captum")]
        rows.append((name, one["units"], f"{one['karikomi']:.1f} s", *rivals, *faster))
    head = ("lesions", "units", "karikomi", "hooks", "captum", "times faster than hooks", "than captum")
    return MODELS.format(images=f"{models['images']:,}", sequences=models["sequences"], table=table(head, rows))
