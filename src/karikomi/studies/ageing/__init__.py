"""The ageing study."""

from karikomi.studies.ageing.settings import AgeingSettings
from karikomi.studies.study import Picture, Study, later

HOME = "karikomi.studies.ageing"

CAPTIONS: dict[str, str] = {}

AGEING = Study(
    name="ageing",
    settings=AgeingSettings,
    prepare=later(f"{HOME}.play:prepare"),
    play=later(f"{HOME}.play:play"),
    tables=later(f"{HOME}.tables:tables"),
    summarize=later(f"{HOME}.summary:summarize"),
    pictures={name: Picture(later(f"{HOME}.pictures:{name}"), caption) for name, caption in CAPTIONS.items()},
)
