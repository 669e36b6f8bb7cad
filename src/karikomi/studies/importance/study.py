"""The importance study, put together."""

from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.study import MeasureFormat, study

CAPTIONS = {
    "scores": "Every unit of replicate 0: a score against the rise in loss when the unit alone is gone, by layer; ρ is"
    " the mean over replicates. The scores that tell critical units best come first.",
    "associations": "How well each score tells critical units: Spearman's ρ with the rise in loss within layers, and"
    " its 95 % interval; grey: what it adds to the scores held constant.",
    "cost_by_layer": "The rise in loss when a unit alone is gone, in every layer and replicate. Boxes hold the middle"
    " half of the units.",
    "score_correlations": "How the scores go together: median over layers and replicates of Spearman's ρ.",
    "ranks": "The rank curves of the scores, by layer: how unevenly each is spread over the units. Lines are means over"
    " replicates.",
    "network": "Replicate 0. Each unit's colour is the rise in loss without it, the most critical of a layer are at the"
    " top; lines are the strongest links.",
    "shapley": "Replicate 0: what a unit adds on average when others are gone too, against its loss alone. Ringed units"
    " are redundant: they cost little alone and much together.",
    "pairs": "Replicate 0: what the loss of two units costs beyond the sum of both alone, for the most critical units."
    " Above 0 they stand in for each other; below 0 they need each other.",
}

STUDY = study(
    "importance",
    ImportanceSettings,
    compared={"loss_rise": MeasureFormat("the mean cost of a unit", "0.001 nats", 1000, 2)},
    captions=CAPTIONS,
    saved="karikomi.studies.healthy.tables:saved",
)
