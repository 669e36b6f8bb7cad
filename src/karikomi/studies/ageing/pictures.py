"""The figures of the ageing study, drawn from a result."""

import altair as alt

from karikomi.figures import ageing, space
from karikomi.figures.theme import spread
from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.ageing.tables import drawn
from karikomi.studies.result import Result


def life(result: Result) -> alt.TopLevelMixin | None:
    return ageing.life(result.table) if _aged(result) else None


def recovery(result: Result) -> alt.TopLevelMixin | None:
    treated = result.table["arm"].isin((*ageing.TREATED, ageing.SHAM)).any()
    return ageing.recovery(result.table) if _aged(result) and treated else None


def patterns(result: Result) -> alt.TopLevelMixin | None:
    compared = len(_settings(result).drawn) > 1 and set(_settings(result).arms) - {ageing.SHAM, ageing.SCRATCH}
    return ageing.patterns(result.table) if _aged(result) and compared else None


def network(result: Result) -> alt.TopLevelMixin | None:
    deaths = result.tables["deaths"]
    first = deaths[deaths["replicate"] == 0]
    record = drawn(result.folder)
    cycles = spread(range(1, record["cycles"] + 1)) if record else []
    return (space.links if _settings(result).takes_links else space.units)(first, cycles)


def health(result: Result) -> alt.TopLevelMixin | None:
    return ageing.health(result.table) if _aged(result) else None


def classes(result: Result) -> alt.TopLevelMixin | None:
    return ageing.classes(result.tables["classes"]) if _aged(result) else None


def _settings(result: Result) -> AgeingSettings:
    return AgeingSettings.of(**result.folder.settings)


def _aged(result: Result) -> bool:
    return bool(result.table["cycle"].max() > 0)
