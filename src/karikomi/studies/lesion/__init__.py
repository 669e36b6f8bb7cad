"""The lesion study."""

from karikomi.studies.lesion.settings import LesionSettings
from karikomi.studies.study import Picture, Study, later

HOME = "karikomi.studies.lesion"

CAPTIONS: dict[str, str] = {}

LESION = Study(
    name="lesion",
    settings=LesionSettings,
    prepare=later(f"{HOME}.play:prepare"),
    play=later(f"{HOME}.play:play"),
    tables=later(f"{HOME}.tables:tables"),
    summarize=later(f"{HOME}.summary:summarize"),
    pictures={name: Picture(later(f"{HOME}.pictures:{name}"), caption) for name, caption in CAPTIONS.items()},
)
