"""The importance study, put together."""

from karikomi.studies.importance.settings import ImportanceSettings
from karikomi.studies.study import FOREST, MeasureFormat, study

CAPTIONS = {
    "scores": "Every unit of replicate 0: a score against unit importance, the rise in loss when the unit alone is"
    " removed, by layer; ρ is the mean over replicates. The best predictors come first.",
    "associations": "How well each score predicts unit importance: Spearman's ρ within layers and its 95 % interval;"
    " grey: partial ρ, the scores held constant.",
    "cost_by_layer": "Unit importance in every layer and replicate. Boxes hold the middle half of the units.",
    "score_correlations": "Correlations of the scores: median over layers and replicates of Spearman's ρ.",
    "ranks": "Rank curves of the scores, by layer: how unevenly each is spread over the units. Lines are means over"
    " replicates.",
    "network": "Replicate 0. Colour: unit importance, the most important units of a layer at the top; lines: the"
    " strongest links.",
    "shapley": "Replicate 0: Shapley value against importance alone. Ringed units are redundant: of little importance"
    " alone, of much in random orders.",
    "pairs": "Replicate 0: the interaction of two units, what their joint removal costs beyond the sum of both alone,"
    " for the most important units. Above 0 they are redundant, below 0 synergistic.",
    "comparisons": FOREST,
}

STUDY = study(
    "importance",
    ImportanceSettings,
    compared={"loss_rise": MeasureFormat("mean unit importance", "10⁻³ nats", 1000, 2)},
    captions=CAPTIONS,
    comparisons=True,
    life=True,
    saved="karikomi.studies.healthy.tables:saved",
)
