"""The studies by name. To add one: write it in a file or folder here, and give it a line below."""

from karikomi.errors import InputError
from karikomi.runs.folder import RunFolder
from karikomi.studies.study import Study


def studies() -> dict[str, Study]:
    """All studies; loading them loads their figures and statistics too."""
    from karikomi.studies.ageing import AGEING
    from karikomi.studies.importance import IMPORTANCE
    from karikomi.studies.lesion import LESION
    from karikomi.studies.lottery import LOTTERY

    return {study.name: study for study in (LOTTERY, LESION, IMPORTANCE, AGEING)}


def study_of(folder: RunFolder) -> Study:
    """The study that a run folder belongs to."""
    known = studies()
    if folder.study not in known:
        raise InputError(f"{folder.path} is a run of the study {folder.study!r}, which this Karikomi does not have")
    return known[folder.study]
