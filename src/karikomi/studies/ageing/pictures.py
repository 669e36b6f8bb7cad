"""The figures of the ageing study, drawn from a result."""

import altair as alt

from karikomi.figures import ageing, space
from karikomi.figures import groups as of_groups
from karikomi.figures.theme import spread
from karikomi.networks.modular import Layout
from karikomi.networks.subnetwork import Arrays
from karikomi.runs.files import read_arrays
from karikomi.studies.ageing import regions
from karikomi.studies.ageing.tables import drawn, read_layout
from karikomi.studies.comparisons import comparisons as comparisons
from karikomi.studies.healthy.tables import network_file
from karikomi.studies.result import Result


def life(result: Result) -> alt.TopLevelMixin | None:
    return ageing.life(result.table) if _aged(result) else None


def recovery(result: Result) -> alt.TopLevelMixin | None:
    treated = result.table["arm"].isin((*ageing.TREATED, ageing.SHAM)).any()
    return ageing.recovery(result.table) if _aged(result) and treated else None


def patterns(result: Result) -> alt.TopLevelMixin | None:
    compared = len(result.settings.drawn) > 1 and set(result.settings.arms) - {ageing.SHAM, ageing.SCRATCH}
    return ageing.patterns(result.table) if _aged(result) and compared else None


def groups(result: Result) -> alt.TopLevelMixin | None:
    wired = _wired(result)
    return wired and of_groups.space(regions.units(wired[0]), regions.crossing(*wired))


def traffic(result: Result) -> alt.TopLevelMixin | None:
    wired = _wired(result)
    return wired and of_groups.traffic(regions.traffic(*wired))


def network(result: Result) -> alt.TopLevelMixin | None:
    deaths = result.tables["deaths"]
    first = deaths[deaths["replicate"] == 0]
    record = drawn(result.folder)
    cycles = spread(range(1, record["cycles"] + 1)) if record else []
    return (space.links if result.settings.takes_links else space.units)(first, cycles)


def health(result: Result) -> alt.TopLevelMixin | None:
    return ageing.health(result.table) if _aged(result) else None


def classes(result: Result) -> alt.TopLevelMixin | None:
    return ageing.classes(result.tables["classes"]) if _aged(result) else None


def _wired(result: Result) -> tuple[Layout, Arrays] | None:
    """Groups and links of replicate 0's healthy network; None if it has no groups."""
    layout = read_layout(result.folder)
    if layout is None:
        return None
    arrays = read_arrays(network_file(result.folder, 0))[0]
    return layout, {weight: arrays[f"mask/{weight}"] for weight in layout.long_range()}


def _aged(result: Result) -> bool:
    return bool(result.table["cycle"].max() > 0)
