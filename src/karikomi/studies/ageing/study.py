"""The ageing study, put together."""

from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.study import FOREST, MeasureFormat, Way, study

CAPTIONS = {
    "life": "Test accuracy over life. Full lines: at the end of every cycle; dashed: after its deaths, before training."
    " Bands and bars are 95 % intervals over replicates.",
    "recovery": "What every cycle gives back: accuracy at its end minus accuracy after its deaths.",
    "patterns": "Test accuracy at the end of every cycle by who dies. Dashed: the scattered control, as many deaths in"
    " each layer and cycle at random places.",
    "groups": "The network of replicate 0 in space, its groups by their numbers. Lines are long-range links, of which"
    " some are drawn, in the colour of the group that they come from.",
    "traffic": "What joins the hidden units of its groups: links, coloured by their share of the possible ones; and"
    " efficiency, the mean of 1 / d over pairs of units, d in links. A dash: nothing could lead there.",
    "network": "Who dies, in replicate 0: the dead are grey and fade with every cycle. Of links,"
    " those that die in the end.",
    "health": "What becomes of the network: loss; how like the healthy network its hidden layers still are (linear CKA,"
    " mean over layers); dormant units (activation up to 2.5 % of their layer's mean); the norm of all weights.",
    "classes": "Test accuracy of each class at the end of every cycle, mean over replicates.",
    "comparisons": FOREST,
}

STUDY = study(
    "ageing",
    AgeingSettings,
    compared={
        "final": MeasureFormat("accuracy at the end", "%", 100, 2),
        "life": MeasureFormat("accuracy over life", "%", 100, 2),
    },
    captions=CAPTIONS,
    comparisons=True,
    life=True,
    margin=True,
    way=Way("table", "cycle", ("arm", "pattern", "when"), ("accuracy", "loss")),
)
