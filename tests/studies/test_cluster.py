"""A study computed by Dask's workers equals the one computed here, also if a worker dies on the way."""

import os
import signal
import threading
import time
from typing import Any
from unittest import mock

import pandas as pd
import pytest

from karikomi.errors import InputError
from karikomi.studies import find_study
from karikomi.studies.result import Result
from karikomi.studies.run import run

pytest.importorskip("distributed")


def run_study(settings, out, cluster=None):
    with mock.patch.object(Result, "draw"):
        return run(find_study("lottery"), settings, out=out, quiet=True, cluster=cluster)


def kill_a_worker_after_the_first_piece(cluster, journal, killed):
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 1):
        time.sleep(0.005)
    victim = next(iter(cluster.workers.values()))
    os.kill(victim.pid, signal.SIGKILL)
    killed.append(victim.pid)


@pytest.mark.filterwarnings("ignore")
def test_two_workers_one_of_them_killed_give_the_local_table(small, tmp_path):
    from distributed import LocalCluster

    settings = small(engine="sparse", replicates=4, iterations=400)
    here = run_study(settings, tmp_path / "here")
    killed: list[int] = []
    workers: Any = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="", silence_logs=50)
    with workers as cluster:
        journal = tmp_path / "there" / "journal.jsonl"
        killer = threading.Thread(target=kill_a_worker_after_the_first_piece, args=(cluster, journal, killed))
        killer.start()
        there = run_study(settings, tmp_path / "there", cluster.scheduler_address)
        killer.join()
    assert len(killed) == 1
    for name in ("table", "curves"):
        a, b = (result.tables[name].drop(columns="seconds", errors="ignore") for result in (here, there))
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    for path in (tmp_path / "here" / "subnetworks").iterdir():
        assert path.read_bytes() == (tmp_path / "there" / "subnetworks" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ("tcp://127.0.0.1:1", "no Dask scheduler answers at tcp://127.0.0.1:1"),
        ("local:0", "local:N with N at least 1; it is local:0"),
        ("local:many", "it is local:many"),
        ("127.0.0.1:8786", "should be tcp://HOST:PORT"),
    ],
)
def test_a_cluster_that_is_not_there_costs_one_line(small, tmp_path, cluster, message):
    with pytest.raises(InputError, match=message):
        run_study(small(), tmp_path / "run", cluster)
    assert not (tmp_path / "run").exists()


def test_without_dask_the_extra_is_named(small, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'karikomi\[dask\]'"):
        run_study(small(), tmp_path / "run", "local:2")
