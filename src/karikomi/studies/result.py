"""The result of a study: everything in it is computed from the run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karikomi.errors import unknown
from karikomi.runs.files import write_whole
from karikomi.runs.folder import RunFolder
from karikomi.studies.settings import StudySettings

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from karikomi.studies.show import Answer
    from karikomi.studies.study import Study


@dataclass(frozen=True)
class Result:
    """A run, finished or not; shows its answer in a notebook.

    Attributes:
        study: the experiment.
        folder: the run folder.
    """

    study: Study
    folder: RunFolder

    @cached_property
    def settings(self) -> StudySettings:
        """The settings it was run with."""
        return self.study.settings.of(**self.folder.settings)

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
        return self.study.summarize(self.tables, self.settings, **margins) if margins else self._summary

    @cached_property
    def _summary(self) -> Any:
        return self.study.summarize(self.tables, self.settings)

    @property
    def figures(self) -> Sequence[str]:
        """The names that ``figure`` takes."""
        return list(self.study.pictures)

    def figure(self, name: str) -> alt.TopLevelMixin | None:
        """One figure as an Altair chart; None where it has no meaning for this run (pixels of data without any)."""
        if name not in self.study.pictures:
            raise unknown("figure", name, self.study.pictures)
        return self.study.pictures[name].draw(self)

    @property
    def page(self) -> Path:
        """Where the report page is."""
        return self.folder.path / "report.html"

    def draw(self, **margins: float) -> None:
        """Write all figures (PNG and SVG) and the page into the run folder."""
        from karikomi.figures.save import save  # loads the renderer, which an answer does not need

        figures = {name: figure for name in self.figures if (figure := self.figure(name)) is not None}
        # Our own charts need no check against the schema, which would take longer than drawing them.
        charts = {name: figure.to_dict(validate=False) for name, figure in figures.items()}
        for name, chart in charts.items():
            save(chart, self.folder.figures, name)
        write_whole(self.page, self._html(self.summary(**margins), charts).encode())

    def _html(self, answer: Answer, charts: Mapping[str, dict[str, Any]]) -> str:
        from karikomi.report.build import Figure, Section, build

        figures = [Figure(chart, self.study.pictures[name].caption) for name, chart in charts.items()]
        sections = [
            Section("Answer", answer.explanation, answer.tables),
            Section("Figures", figures=figures),
            Section("Details", tables=answer.details),
        ]
        title = f"{self.study.name.capitalize()}: {self.settings.network} on {self.settings.data}"
        facts = {
            "Settings": self.folder.settings,
            "Run": {"folder": self.folder.path.name, "identity": self.folder.identity},
            "Machine": self.folder.environment["sessions"][0],
        }
        return build(title, answer.headline, sections, facts)

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
