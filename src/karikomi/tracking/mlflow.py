"""MLflow: a run of the experiment ``karikomi``, or of that which MLFLOW_EXPERIMENT_NAME names."""

import os
import re
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from karikomi.tracking.record import Record

IDENTITY = "karikomi.identity"
METRICS_AT_ONCE, PARAMETERS_AT_ONCE = 1000, 100
"""What MLflow takes in one request."""


def send(record: Record, place: str) -> str:
    """Send a run to the server or database at ``place``; one that is there whole is not sent again."""
    # MLflow asks a server that is down for minutes, and reports to its makers, unless it is told otherwise.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    client = MlflowClient(place or None)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "karikomi")
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name)
    where = f"MLflow at {client.tracking_uri}, experiment {name}, run {record.name}"
    for earlier in client.search_runs([experiment], f"tags.`{IDENTITY}` = '{record.tags['identity']}'"):
        if earlier.info.status == "FINISHED":
            return f"{where}: is there already"
        client.delete_run(earlier.info.run_id)  # what a failure left
    started, finished = (_milliseconds(record.times[side]) for side in ("started", "finished"))
    tags = {f"karikomi.{key}": value for key, value in record.tags.items()} | {"mlflow.note.content": record.note}
    run = client.create_run(experiment, start_time=started, tags=tags, run_name=record.name).info.run_id
    _log(client, run, record, finished)
    client.set_terminated(run, end_time=finished)
    return where


def _log(client: Any, run: str, record: Record, time: int) -> None:
    from mlflow.entities import Metric, Param

    parameters = [Param(name, str(value)) for name, value in record.settings.items()]
    for start in range(0, len(parameters), PARAMETERS_AT_ONCE):
        client.log_batch(run, params=parameters[start : start + PARAMETERS_AT_ONCE])
    metrics = [
        Metric(name if side == "mean" else f"{name}/{side}", value, time, step)
        for line in record.lines
        for name in [_allowed(line.name)]
        for side, step, value in line.values()
    ]
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(run, metrics=metrics[start : start + METRICS_AT_ONCE])
    with tempfile.TemporaryDirectory() as folder:
        record.write_tables(Path(folder))
        client.log_artifacts(run, folder, "tables")
    for image in record.images:
        client.log_artifact(run, str(image), "figures")
    if record.page.exists():
        client.log_artifact(run, str(record.page))


def _allowed(name: str) -> str:
    """
    >>> _allowed("accuracy/ticket/21.1 %")
    'accuracy/ticket/21.1 percent'
    """
    return re.sub(r"[^/\w.\- ]", "_", name.replace("%", "percent"))


def _milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
