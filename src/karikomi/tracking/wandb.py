"""Weights & Biases: a run of the project ``karikomi``, or of that which WANDB_PROJECT names."""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from karikomi.tracking.record import Line, Record


def send(record: Record, place: str) -> str:
    """Send a run, or offline write it down; its identity is its id, so that nothing is there twice."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    tags, quiet, where = record.tags, _settings(wandb), f"Weights & Biases, run {record.name}"
    name = tags["identity"][:16]
    known = wandb.setup(quiet).settings
    if known.mode == "offline" and any(Path(known.wandb_dir).glob(f"offline-run-*-{name}")):
        return f"{where}: is there already"
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "karikomi"),
        id=name,
        resume="allow",
        name=record.name,
        group=tags["study"],
        config={**record.settings, **{f"karikomi/{name}": tag for name, tag in tags.items()}},
        notes=record.note,
        settings=quiet,
    )
    with run:
        _log(run, record)
        return f"{where}: {run.url or Path(run.dir).parent}"


def _log(run: Any, record: Record) -> None:
    import wandb

    steps: dict[tuple[str, int], dict[str, float]] = {}
    for line in record.lines:
        name = _allowed(line)
        run.define_metric(f"{name}*", step_metric=line.unit)
        for side, step, value in line.values():
            steps.setdefault((line.unit, step), {})[name if side == "mean" else f"{name}_{side}"] = value
    # With numbers of their own: what an earlier try has sent is not taken again.
    for number, ((unit, step), values) in enumerate(sorted(steps.items())):
        run.log({unit: step, **values}, step=number)
    media: dict[str, Any] = {f"figures/{image.stem}": wandb.Image(str(image)) for image in record.images}
    if record.page.exists():
        media["page"] = wandb.Html(record.page.read_text(encoding="utf-8"), inject=False)
    run.log(media, step=len(steps))
    with tempfile.TemporaryDirectory() as folder:
        record.write_tables(Path(folder))
        artifact = wandb.Artifact(f"tables-{run.id}", type="tables")
        artifact.add_dir(folder)
        run.log_artifact(artifact)


def _settings(wandb: Any) -> Any:
    """Nothing of this machine, of the code around or of the terminal goes out."""
    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_save_requirements=False,
    )


def _allowed(line: Line) -> str:
    """W&B sorts and filters by names of letters, digits and _ alone; what is before / is a section."""
    first, *rest = (re.sub(r"\W+", "_", part.replace("%", "percent")).strip("_") for part in line.name.split("/"))
    return "/".join([first, "_".join(rest)] if rest else [first])
