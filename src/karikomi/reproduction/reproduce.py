"""``karikomi reproduce``: the runs, the verdicts, and what is written of them."""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from karikomi.claims import SETS
from karikomi.claims.claim import SCALES, Claim, ClaimSet, Scale, read_claims
from karikomi.errors import InputError, unknown
from karikomi.language import DEFAULT, Language, check_language
from karikomi.reproduction import answer
from karikomi.reproduction.measured import values
from karikomi.reproduction.runs import Planned, carry_out, plan
from karikomi.reproduction.verdict import p_of, verdict, why
from karikomi.runs.files import write_whole
from karikomi.runs.folder import RUNS, SETTINGS
from karikomi.statistics import mean_interval
from karikomi.statistics.frames import with_holm
from karikomi.studies.result import Result
from karikomi.studies.show import Answer, answer_in
from karikomi.studies.words import worded

if TYPE_CHECKING:
    import altair as alt


@dataclass(frozen=True, repr=False)
class Reproduction(Answer):
    """What became of published claims; shows itself in a notebook.

    Attributes:
        claims: a row per claim: set, name, claim, place, theirs, unit, mean, low, high (95 %, Student's t over
            replicates), replicates, above and below (where it lies if the claim holds), margin, p (t-test against the
            nearer of these), p_holm (Holm over the claims of a set), verdict, why, run.
        folder: where claims.parquet, claims.csv, the figures and the page are.
    """

    claims: pd.DataFrame
    folder: Path

    @property
    def page(self) -> Path:
        """Where the page is."""
        return self.folder / "report.html"

    def figure(self, name: str) -> "alt.TopLevelMixin":
        """A forest plot of a set: ours with its interval, theirs, and where the claim holds; each on its own scale."""
        from karikomi.figures.claims import forest
        from karikomi.figures.theme import styled

        rows = self.claims[self.claims["set"] == name]
        if rows.empty:
            raise unknown("set of claims", name, self.claims["set"].unique())
        return styled(forest(rows))


def reproduce(
    names: Sequence[str | Path],
    *,
    scale: Scale = "default",
    out: Path | None = None,
    quiet: bool = False,
    language: Language = DEFAULT,
) -> Reproduction:
    """Put published claims to the test; see :func:`karikomi.reproduce`."""
    check_language(language)
    if scale not in SCALES:
        raise unknown("scale", scale, SCALES)
    if not names:
        raise InputError(f"which claims? There are: {', '.join(SETS)}; or the path of a .toml file")
    if out is not None and (out / SETTINGS).exists():
        raise InputError(f"{out} is a run folder; choose another folder")
    sets = _read(names)
    plans = {name: plan(name, claims) for name, claims in sets.items()}
    folder, parent = (RUNS / "-".join(["reproduce", *sets, scale]), RUNS) if out is None else (out, out / "runs")
    judged = {
        name: _judged(name, claims, plans[name], carry_out(name, plans[name], scale, parent, quiet, language), scale)
        for name, claims in sets.items()
    }
    found = pd.concat(judged.values(), ignore_index=True)
    reproduction = Reproduction(
        headline=answer.in_a_sentence(found, scale),
        explanation=answer.EXPLANATION,
        tables=[answer.table(judged[name], claims) for name, claims in sets.items()],
        details=[answer.details(judged[name], claims) for name, claims in sets.items()],
        claims=found,
        folder=folder,
    )
    runs = {
        f"{name}, run {which}": {"study": planned.study.name, **planned.settings[scale].model_dump()}
        for name, planned_runs in plans.items()
        for which, planned in planned_runs.items()
    }
    command = shlex.join(["karikomi", "reproduce", *map(str, names), "--scale", scale])
    _write(
        reproduction, sets, language, lambda charts: answer.page(reproduction, sets, charts, runs, command, language)
    )
    return answer_in(language, reproduction)


def _read(names: Sequence[str | Path]) -> dict[str, ClaimSet]:
    sets: dict[str, ClaimSet] = {}
    for which in dict.fromkeys(map(str, names)):
        name, claims = read_claims(which)
        if name in sets:
            raise InputError(f"two sets of claims are called {name}; rename the file {which}")
        sets[name] = claims
    return sets


def _judged(
    name: str, claims: ClaimSet, plans: Mapping[str, Planned], results: Mapping[str, Result], scale: Scale
) -> pd.DataFrame:
    """A row per claim of a set."""
    rows = []
    for which, claim in claims.claims.items():
        try:
            ours = values(claim.measure, results)
        except InputError as problem:
            raise InputError(f"{name}, claim {which}: {problem}") from problem
        too_small = _too_small(claim, plans, scale)
        rows.append(
            {
                "set": name,
                "name": which,
                **claim.model_dump(include={"claim", "place", "theirs", "unit", "margin"}),
                "published": claim.published,
                "above": claim.holds.above,
                "below": claim.holds.below,
                **mean_interval(ours)._asdict(),
                "replicates": len(ours),
                "run": results[claim.measure.run].folder.path.name,
                "p": float("nan") if too_small else p_of(ours.to_numpy(), claim.holds),
                "why": too_small,
            }
        )
    numbers = ["published", "above", "below"]
    found = with_holm(pd.DataFrame(rows).astype(dict.fromkeys(numbers, float)), family=[])
    tests, regions = int(found["p"].notna().sum()), [claim.holds for claim in claims.claims.values()]
    judged = list(zip(found.to_dict("records"), regions, strict=True))
    return found.assign(
        verdict=[verdict(row["mean"], row["p_holm"], region) for row, region in judged],
        why=[why(row, region, tests, row["why"]) for row, region in judged],
    )


def _too_small(claim: Claim, plans: Mapping[str, Planned], scale: Scale) -> str:
    """Why a scale does not decide a claim, by the settings that it changes; "" if it is large enough."""
    if SCALES.index(scale) >= SCALES.index(claim.scale):
        return ""
    settings = plans[claim.measure.run].settings
    here, there = settings[scale].model_dump(), settings[claim.scale].model_dump()
    changed = [f"{name} {worded(there[name])}, here {worded(here[name])}" for name in here if here[name] != there[name]]
    return f"Decided at scale {claim.scale}: {'; '.join(changed)}."


def _write(
    reproduction: Reproduction, sets: Iterable[str], language: Language, page: Callable[[Mapping[str, Any]], str]
) -> None:
    """Tables, figures and page, each whole or not at all."""
    from karikomi.figures.save import save
    from karikomi.report.images import image_in

    folder, found = reproduction.folder, reproduction.claims
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "claims.parquet", found.astype({"verdict": str}).to_parquet(engine="pyarrow"))
    write_whole(folder / "claims.csv", found.to_csv(index=False).encode())
    charts = {name: reproduction.figure(name).to_dict(validate=False) for name in sets}
    for name, chart in charts.items():
        save(image_in(language, chart), figures, name)
    write_whole(reproduction.page, page(charts).encode())
