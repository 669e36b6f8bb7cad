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
        "life": "Life of the network",
        "network": "Network",
        "step": "Step",
        "play": "Play",
        "pause": "Pause",
        "network_label": "The network in layers. Arrow keys go from unit to unit and layer to layer, Escape lets go.",
        "network_caption": "Units in their layers, with the strongest links; the inputs show how many links each has."
        " Critical: the 10 units whose loss alone costs most. Dead: removed, or on no path from inputs to outputs.",
        "weights_of": "Links of an earlier step:",
        "curves_caption": "Accuracy (%) by step; the line is the step shown, the dot the network.",
        "classes_caption": "Test accuracy by class; the mark is the first step.",
        "pixels_caption": "links of each input, dark where there are many",
        "mask": "Links into",
        "mask_caption": "links left; a row per unit, a column per unit of",
        "positive": "positive link",
        "negative": "negative link",
        "alive": "alive",
        "dead": "dead",
        "critical": "critical",
        "unit": "unit",
        "choose_unit": "Click a unit, or go to the network and press an arrow key: its weights, costs and scores.",
        "state": "state",
        "died": "dead from",
        "removed_at": "removed at",
        "lives_on": "–",
        "links_in": "links into it",
        "links_out": "links out of it",
        "cost": "loss rises without it by",
        "millinats": "millinats",
        "rank": "rank",
        "cost_by_class": "What its loss costs, by class",
        "class": "class",
        "points": "points",
        "scores": "Scores",
        "criterion": "criterion",
        "score": "score",
        "incoming": "Weights from",
        "no_script": "Charts, sorting and the viewer need JavaScript; their images are in the folder figures beside"
        " this page.",
        "footer": "Made with Karikomi. This file holds everything it shows; it loads nothing from elsewhere.",
    },
}


def words(language: str = DEFAULT) -> Mapping[str, str]:
    """The page's fixed texts in a language, by name."""
    return WORDS[language]
