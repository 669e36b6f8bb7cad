"""The page's fixed texts, in one table: a language is one more entry."""

from collections.abc import Mapping

DEFAULT = "en"

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "answer": "Answer",
        "figures": "Figures",
        "details": "Details",
        "record": "Record",
        "repeat": "The command that repeats this run",
        "settings": "Settings",
        "seeds": "Seeds",
        "run": "Run",
        "environment": "Environment",
        "contents": "Contents",
        "figure": "Figure",
        "table": "table",
        "copy": "Copy",
        "copy_csv": "Copy as CSV",
        "copied": "Copied",
        "arms": "Shown in all charts",
        "arm": "Arms",
        "kind": "Orders",
        "pattern": "Patterns",
        "layer": "Layers",
        "line": "Networks",
        "left": "Links left",
        "chart_failed": "This chart could not be drawn:",
        "zoom": "Hover for numbers; Ctrl + wheel or pinch to zoom, drag to move, double-click for all of it.",
        "no_script": "Charts, sorting and the viewer need JavaScript; the folder figures beside this page has the charts as"
        " images.",
        "footer": "Made with Karikomi. This file holds everything it shows; it loads nothing from elsewhere.",
    },
}


def words(language: str = DEFAULT) -> Mapping[str, str]:
    """The page's fixed texts in a language, by name."""
    return WORDS[language]
