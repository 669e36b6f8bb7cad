"""TensorBoard: event files. What it has no place for, the page and the CSV tables, stays in the run folder."""

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from karikomi.runs.files import PARTIAL
from karikomi.runs.folder import default_path
from karikomi.tracking.record import Record


def send(record: Record, place: str) -> str:
    """Write a run into a folder of ``place``, whole or not at all; one that is there is not written again.

    The ends of the intervals are runs ``low`` and ``high`` of their own, so that one chart has all three.
    """
    parent = Path(place)
    folder = default_path(record.tags["study"], record.tags["identity"], parent)
    where = f"TensorBoard: tensorboard --logdir {place}, run {folder.name}"
    if folder.exists():
        return f"{where}: is there already"
    parent.mkdir(parents=True, exist_ok=True)
    partial = parent / f"{PARTIAL}{secrets.token_hex(8)}"
    try:
        _write(record, partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return where


def _write(record: Record, folder: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    writers = {side: SummaryWriter(folder / name) for side, name in (("mean", ""), ("low", "low"), ("high", "high"))}
    for line in record.lines:
        for side, step, value in line.values():
            writers[side].add_scalar(line.name, value, step)
    main = writers["mean"]
    main.add_hparams(record.settings, {}, run_name=".")
    main.add_text("answer", record.note)
    for title, table in record.answers.items():
        main.add_text(f"tables/{title}", table)
    main.add_text("run", _table({**record.tags, "folder": record.result.folder.path.resolve()}))
    for image in record.images:
        main.add_image(f"figures/{image.stem}", np.asarray(Image.open(image).convert("RGB")), dataformats="HWC")
    for writer in writers.values():
        writer.close()


def _table(facts: Mapping[str, Any]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {fact} |" for name, fact in facts.items())])
