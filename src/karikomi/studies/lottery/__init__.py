"""The lottery study."""

from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.study import MeasureFormat, Picture, Study, later

HOME = "karikomi.studies.lottery"

CAPTIONS = {
    "accuracy": "Test accuracy at the early stop against the links that are left. The line across is the dense"
    " network; bands are 95 % intervals over replicates.",
    "early_stop": "How soon each network is at its best: the iteration of minimum validation loss. Lower is faster.",
    "final_accuracy": "Test accuracy after all iterations.",
    "learning_curves": "Validation accuracy and loss during training at several densities, with 95 % intervals.",
    "links_per_pixel": "Surviving first-layer links of each pixel after every round, mean over replicates.",
    "first_layer_mask": "The first layer's mask in replicate 0: a dot is a surviving link.",
    "links_per_unit": "Surviving links into and out of each unit in replicate 0, after the last round.",
}

LOTTERY = Study(
    name="lottery",
    settings=LotterySettings,
    prepare=later("karikomi.studies.setup:prepare"),
    stages=later(f"{HOME}.stages:stages"),
    tables=later(f"{HOME}.tables:tables"),
    saved=later(f"{HOME}.tables:saved"),
    summarize=later(f"{HOME}.summary:summarize"),
    by_replicate=later(f"{HOME}.summary:by_replicate"),
    compared={
        "test_accuracy": MeasureFormat("accuracy at the early stop", "%", 100, 2),
        "early_stop_iteration": MeasureFormat("early stop", "iterations", 1, 0),
    },
    pictures={name: Picture(later(f"{HOME}.pictures:{name}"), caption) for name, caption in CAPTIONS.items()},
)
