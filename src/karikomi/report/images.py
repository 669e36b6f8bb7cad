"""Figures as image files in a language."""

from collections.abc import Mapping
from typing import Any

from karikomi.figures.fonts import families, has_font, set_in
from karikomi.language import Language
from karikomi.report.translated import chart_in


def image_in(language: Language, chart: Mapping[str, Any]) -> dict[str, Any]:
    """A chart, as its ``to_dict()``, in a language; as it is where no font on this machine has its letters."""
    return set_in(chart_in(language, chart), families(language)) if has_font(language) else dict(chart)
