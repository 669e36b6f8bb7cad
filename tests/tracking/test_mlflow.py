"""A real MLflow server on SQLite, asked through its own client."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pandas as pd
import pytest

from karikomi.tracking import tracker
from karikomi.tracking.record import Record

for package in ("mlflow", "sqlalchemy", "flask", "flask_cors", "aiohttp"):
    pytest.importorskip(package, reason="needs pip install 'karikomi[mlflow]' flask flask-cors aiohttp")

PATIENCE_SECONDS = 100


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server that ends with the tests."""
    folder = tmp_path_factory.mktemp("server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--backend-store-uri", "sqlite:///runs.db", "--artifacts-destination", "artifacts", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), *options],
        cwd=folder,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("w"),
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process, folder / "log")
        yield address
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def wait_for(address, process, log) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/health").close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server does not answer:\n{log.read_text()}")


@pytest.fixture
def client(server, monkeypatch):
    from mlflow import MlflowClient

    # The server is there: a request that fails is to fail at once.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    return MlflowClient(server)


@pytest.fixture
def experiment(client, monkeypatch, request):
    """Gives the runs of an experiment of the test's own."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", request.node.name)

    def runs():
        found = client.get_experiment_by_name(request.node.name)
        return client.search_runs([found.experiment_id]) if found else []

    return runs


@pytest.mark.filterwarnings("ignore")
def test_a_run_is_read_back(client, server, experiment, result, tmp_path) -> None:
    told = tracker(f"mlflow:{server}")(result)
    record, [run] = Record(result), experiment()
    assert told == f"MLflow at {server}, experiment test_a_run_is_read_back, run tickets"
    assert (run.info.run_name, run.info.status) == ("tickets", "FINISHED")
    lasted = pd.Timestamp(record.times["finished"]) - pd.Timestamp(record.times["started"])
    assert run.info.end_time - run.info.start_time == pytest.approx(lasted.total_seconds() * 1000, abs=1)
    assert run.data.params == {name: str(value) for name, value in record.settings.items()}
    assert run.data.tags["karikomi.identity"] == result.folder.identity
    assert run.data.tags["karikomi.answer"] == result.summary().headline
    assert run.data.tags["mlflow.note.content"] == record.note

    expected = {}
    for line in record.lines:
        for side, step, value in line.values():
            name = line.name.replace("%", "percent") + ("" if side == "mean" else f"/{side}")
            expected.setdefault(name, []).append((step, value))
    assert "validation_accuracy/ticket/12.5 percent/low" in expected
    assert run.data.metrics.keys() == expected.keys()
    for name in ("validation_accuracy/ticket/12.5 percent/low", "test_accuracy/ticket", "early_stop_iteration/dense"):
        history = client.get_metric_history(run.info.run_id, name)
        assert [(metric.step, metric.value) for metric in history] == expected[name]

    there = client.download_artifacts(run.info.run_id, "", str(tmp_path))
    pd.testing.assert_frame_equal(pd.read_csv(f"{there}/tables/table.csv"), result.table, check_dtype=False)
    for name in ("figures/accuracy.png", "report.html"):
        assert (tmp_path / name).read_bytes() == (result.folder.path / name).read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_a_run_is_there_once_and_what_a_failure_left_goes(client, server, experiment, result, monkeypatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Record, "write_tables", lambda record, folder: 1 / 0)
        with pytest.raises(ValueError, match="mlflow does not take the run: division by zero"):
            tracker(f"mlflow:{server}")(result)
    [left] = experiment()
    assert left.info.status == "RUNNING"
    tracker(f"mlflow:{server}")(result)
    [run] = experiment()
    assert (run.info.status, run.info.run_id == left.info.run_id) == ("FINISHED", False)
    assert tracker(f"mlflow:{server}")(result).endswith("is there already")
    assert [one.info.run_id for one in experiment()] == [run.info.run_id]


@pytest.mark.filterwarnings("ignore")
def test_a_command_sends_its_run(server, experiment, command) -> None:
    flags = "lottery --network mlp-8 --iterations 4 --rounds 1 --replicates 2 --validation 100 --engine population"
    for said in ("run first\n", "run first: is there already\n"):
        status, out, err = command(*flags.split(), "--out", "first", "--track", f"mlflow:{server}")
        assert (status, "Ticket minus dense" in out) == (0, True)
        assert err.endswith(said)
    assert len(experiment()) == 1


@pytest.mark.filterwarnings("ignore")
def test_a_server_that_is_not_there_costs_a_line(client, result) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ValueError, match=r"^mlflow does not take the run: [^\n]*Connection refused[^\n]*$"):
        tracker(f"mlflow:http://127.0.0.1:{port}")(result)


@pytest.mark.filterwarnings("ignore")
def test_a_database_does_without_a_server(result, tmp_path, monkeypatch) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    tracker("mlflow:sqlite:///own.db")(result)
    client = MlflowClient("sqlite:///own.db")
    known = client.get_experiment_by_name("karikomi")
    assert known
    [run] = client.search_runs([known.experiment_id])
    assert run.info.status == "FINISHED"
