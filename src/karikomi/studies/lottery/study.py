"""The lottery study, put together."""

from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.study import MeasureFormat, study

CAPTIONS = {
    "variants": "Test accuracy at the early stop of the tickets of every variant against the links that are left; bands"
    " are 95 % intervals over replicates. The figures of single links below are those of the first variant.",
    "accuracy": "Test accuracy at the early stop against the links that are left. The line across is the dense"
    " network; bands are 95 % intervals over replicates.",
    "initial_accuracy": "Test accuracy before any weight is trained: what masks and signs alone do (Zhou et al. 2019).",
    "early_stop": "How soon each network is at its best: the iteration of minimum validation loss. Lower is faster.",
    "final_accuracy": "Test accuracy after all iterations.",
    "learning_curves": "Validation accuracy and loss during training at several densities, with 95 % intervals.",
    "links_per_pixel": "Surviving first-layer links of each pixel after every round, mean over replicates.",
    "first_layer_mask": "The first layer's mask in replicate 0: a dot is a surviving link.",
    "links_per_unit": "Surviving links into and out of each unit in replicate 0, after the last round.",
}

STUDY = study(
    "lottery",
    LotterySettings,
    compared={
        "test_accuracy": MeasureFormat("accuracy at the early stop", "%", 100, 2),
        "early_stop_iteration": MeasureFormat("early stop", "iterations", 1, 0),
    },
    captions=CAPTIONS,
    life=True,
    margin=True,
)
