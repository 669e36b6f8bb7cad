"""The result of a study: everything in it is computed from the run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karikomi.errors import InputError
from karikomi.language import DEFAULT, Language, check_language
from karikomi.runs.files import write_whole
from karikomi.runs.folder import RunFolder
from karikomi.studies.stage import LEFT_OUT
from karikomi.studies.words import left_out_in_words

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    from torch import nn

    from karikomi.runs.checkpoint import Checkpoint
    from karikomi.studies.show import Answer
    from karikomi.studies.stage import Saved
    from karikomi.studies.study import Study


@dataclass(frozen=True)
class Result:
    """A run, finished or not; shows its answer in a notebook.

    Attributes:
        study: the experiment.
        folder: the run folder.
        language: en or ja; that of the summary, the figures and tables, and of the page and the images that ``draw``
            writes.
    """

    study: Study
    folder: RunFolder
    language: Language = DEFAULT

    def __post_init__(self) -> None:
        check_language(self.language)

    @cached_property
    def settings(self) -> Any:
        """The settings it was run with, without the defaults that did not suit the network."""
        settings: Any = self.study.settings.of(**self.folder.settings)
        return settings.without(self.left_out) if self.left_out else settings

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Criteria of the defaults that did not suit the network, with the reason."""
        records = self.folder.journal.records()
        return {name: why for record in records for name, why in record.get(LEFT_OUT, {}).items()}

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name; of an unfinished run, what is there so far."""
        return self.study.tables(self.folder)

    @property
    def table(self) -> pd.DataFrame:
        """The tidy table of measurements."""
        return self.tables["table"]

    def summary(self, **margins: float) -> Any:
        """The answer: words and tables that show themselves, and the statistics behind them.

        ``margins`` are those that the study's ``summarize`` takes; the lottery's is ``accuracy_margin``.
        """
        from karikomi.studies.show import answer_in

        return answer_in(self.language, self._in_english(**margins))

    def _in_english(self, **margins: float) -> Any:
        return self.study.summarize(self.tables, self.settings, **margins) if margins else self._summary

    @cached_property
    def _summary(self) -> Any:
        answer = self.study.summarize(self.tables, self.settings)
        if not self.left_out:
            return answer
        return replace(answer, explanation=f"{answer.explanation}\n\n{left_out_in_words(self.left_out)}")

    @property
    def figures(self) -> Sequence[str]:
        """The names that ``figure`` takes."""
        return list(self.study.figures)

    def figure(self, name: str) -> alt.TopLevelMixin | None:
        """One figure as an Altair chart; None where it has no meaning for this run (pixels of data without any)."""
        chart = self._figure_in_english(name)
        if chart is None or self.language == DEFAULT:
            return chart
        import altair as alt

        from karikomi.report.translated import chart_in

        return alt.Chart.from_dict(chart_in(self.language, chart.to_dict(validate=False)))

    def _figure_in_english(self, name: str) -> alt.TopLevelMixin | None:
        chart = self.study.figures.find(name).function(self)
        if chart is None:
            return None
        from karikomi.figures.theme import styled

        return styled(chart)

    def save_figure(self, name: str, to: str | Path, *, width: str | None = None, font: str | None = None) -> None:
        """Write a figure for a paper, whole or not at all.

        Args:
            name: one of ``figures``.
            to: the file, .pdf, .svg or .png (300 pixels an inch).
            width: such as ``"85mm"``, in mm, cm, in, pt or px (1/96 inch, of a PNG its pixels); the height follows, and
                letters keep 7 points. By default that of the page.
            font: a family that is on this machine; by default a usual one that has the letters of the language.

        Raises:
            InputError: for a name, an ending, a width or a font that does not do, or without a font for the language.
        """
        from karikomi.figures.fonts import families
        from karikomi.figures.publish import check, publish
        from karikomi.report.translated import chart_in

        check(Path(to), width)
        chosen = families(self.language, font)
        chart = self._figure_in_english(name)
        if chart is None:
            raise InputError(f"the figure {name} has no meaning for this run: {self.folder.path}")
        publish(chart_in(self.language, chart.to_dict(validate=False)), Path(to), width, chosen)

    def save_table(self, name: str, to: str | Path) -> None:
        """Write a table for a paper, whole or not at all.

        Args:
            name: of what was measured (``tables``), of a data frame of the summary, or of a table of the answer, by
                what its title begins with: ``ticket-minus-dense``.
            to: the file, .tex (for the package booktabs), .md, or .csv (of a data frame all digits).

        Raises:
            InputError: for a name or an ending that there is not.
        """
        from karikomi.studies.written import write_table

        write_table(self, name, Path(to))

    def network(
        self,
        replicate: int = 0,
        *,
        round: int | None = None,
        cycle: int | None = None,
        arm: str | None = None,
        pattern: str | None = None,
        variant: str | None = None,
        module: nn.Module | None = None,
    ) -> Checkpoint:
        """A network of this run; ``.module()`` of it is a plain PyTorch module.

        Args:
            replicate: which replicate, from 0.
            round: of a lottery or a stability run, after which pruning round; 0 is the dense network.
            cycle: of an ageing run, after which cycle; 0 is the healthy network.
            arm: of an ageing run, in which arm; of a stability run, rewound to what: ``after-0``, ``after-100``.
            pattern: of an ageing run, in which pattern of deaths.
            variant: of a lottery that compares several, of which one.
            module: the architecture, where the run was one on modules of your own.

        Raises:
            InputError: if the run has no such network, or several, saying which there are.
        """
        from karikomi.runs.checkpoint import read_networks

        named = {"round": round, "cycle": cycle, "arm": arm, "pattern": pattern, "variant": variant}
        asked = {"replicate": replicate, **{name: value for name, value in named.items() if value is not None}}
        there = self.study.saved(self.folder)
        found = [saved for saved in there if asked.items() <= saved.where.items()]
        if len(found) != 1:
            asked_for = ", ".join(f"{name} {value}" for name, value in asked.items())
            raise InputError(
                f"{self.folder.path} has {'several networks' if found else 'no network'} of {asked_for}; choose among"
                f" {_choices(found or there)}"
            )
        [saved] = found
        networks = read_networks(saved.path, module)
        network = networks[saved.name]
        where = {name: str(value) for name, value in saved.where.items()}
        return replace(network, provenance={**network.provenance, **where, "run": self.folder.identity})

    @property
    def command(self) -> str:
        """The command that computes it."""
        return f"karikomi {self.study.name} {self.settings.flags}".strip()

    @property
    def page(self) -> Path:
        """Where the report page is."""
        return self.folder.path / "report.html"

    def draw(self, **margins: float) -> None:
        """Write all figures (PNG and SVG) and the page into the run folder.

        The images are in English where no font on this machine has the letters of the language.
        """
        from karikomi.figures.save import save  # loads the renderer, which an answer does not need
        from karikomi.report.images import image_in

        figures = {name: figure for name in self.figures if (figure := self._figure_in_english(name)) is not None}
        # Our own charts need no check against the schema, which would take longer than drawing them.
        charts = {name: figure.to_dict(validate=False) for name, figure in figures.items()}
        for name, chart in charts.items():
            save(image_in(self.language, chart), self.folder.figures, name)
        write_whole(self.page, self._html(self._in_english(**margins), charts).encode())

    def _html(self, answer: Answer, charts: Mapping[str, dict[str, Any]]) -> str:
        from karikomi.report.build import Figure, Section, build
        from karikomi.report.words import WORDS

        life = self.study.life and self.study.life(self)
        figures = [
            Figure(chart, self.study.figures[name].meaning)
            for name, chart in charts.items()
            if life is None or name not in life.replaces
        ]
        sections = [
            Section(WORDS["answer"], answer.explanation, answer.tables),
            Section(WORDS["figures"], figures=figures),
            Section(WORDS["details"], tables=answer.details),
        ]
        title = f"{self.study.name.capitalize()}: {self.settings.title} on {self.settings.data}"
        replicates = self.folder.settings["replicates"]
        facts = {
            WORDS["settings"]: self.folder.settings,
            WORDS["seeds"]: {"seed": self.folder.settings["seed"], "replicates": replicates},
            WORDS["run"]: {"folder": self.folder.path.name, "identity": self.folder.identity},
            WORDS["environment"]: self.folder.environment["sessions"][0],
        }
        kept = [section for section in sections if section.tables or section.figures]
        return build(title, answer.headline, kept, facts, self.command, life, self.language)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def _choices(there: Sequence[Saved]) -> str:
    """What tells networks apart, and the values that there are: replicate 0, 1, round 0, 1, 2."""
    values: dict[str, dict[str, None]] = {}
    for saved in there:
        for name, value in saved.where.items():
            values.setdefault(name, {})[str(value) or "none"] = None
    return "; ".join(f"{name} {', '.join(known)}" for name, known in values.items()) or "none: nothing is trained yet"
