"""The lottery study."""

from karikomi.figures import lottery as curves
from karikomi.figures import wiring as drawn
from karikomi.studies.lottery import wiring
from karikomi.studies.lottery.play import play, tables
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.lottery.summary import summarize
from karikomi.studies.study import Picture, Study

PICTURES = {
    "accuracy": Picture(
        lambda result: curves.accuracy(result.summary().arms),
        "Test accuracy at the early stop against the links that are left. The line across is the dense network;"
        " bands are 95 % intervals over replicates.",
    ),
    "early-stop": Picture(
        lambda result: curves.early_stop(result.summary().arms),
        "How soon each network is at its best: the iteration of minimum validation loss. Lower is faster.",
    ),
    "final-accuracy": Picture(
        lambda result: curves.accuracy(result.summary().arms, "final_test_accuracy"),
        "Test accuracy after all iterations.",
    ),
    "learning-curves": Picture(
        lambda result: curves.learning_curves(result.tables["curves"]),
        "Validation accuracy and loss during training at several densities, with 95 % intervals.",
    ),
    "links-per-pixel": Picture(
        lambda result: _unless_empty(drawn.pixel_map, wiring.pixels(result.folder)),
        "Surviving first-layer links of each pixel, mean over replicates.",
    ),
    "first-layer-mask": Picture(
        lambda result: _unless_empty(drawn.mask_image, wiring.first_layer(result.folder)),
        "The first layer's mask in replicate 0: a dot is a surviving link.",
    ),
    "links-per-unit": Picture(
        lambda result: drawn.unit_links(wiring.units(result.folder)),
        "Surviving links into and out of each unit in replicate 0, after the last round.",
    ),
}


def _unless_empty(draw, table):
    return draw(table) if len(table) else None


LOTTERY = Study(
    name="lottery",
    settings=LotterySettings,
    play=play,
    tables=tables,
    summarize=summarize,
    pictures=PICTURES,
)
