import errno
import os
import re
import signal
import subprocess
import sys
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from karikomi.errors import InputError
from karikomi.runs import environment
from karikomi.runs.folder import RUNS, RunFolder, default_path, identity, list_runs

SETTINGS = {"seed": 0, "rounds": 10, "rate": 0.2, "rates": (0.2, 0.1), "output": None}


def begin(path: Path, study: str = "lottery", schema: int = 1, **changes):
    return RunFolder.create_or_resume(path, study, {**SETTINGS, **changes}, schema)


def contents(path: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in path.rglob("*")}


def refusal(path: Path, **changes) -> str:
    """The message of the refusal; nothing around the folder may have changed."""
    before = contents(path.parent)
    with pytest.raises(InputError) as refused, begin(path, **changes):
        pass
    assert contents(path.parent) == before
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_new_run(tmp_path):
    with begin(tmp_path / "deep" / "run") as run:
        assert (run.study, run.schema) == ("lottery", 1)
        assert run.settings == {"seed": 0, "rounds": 10, "rate": 0.2, "rates": [0.2, 0.1]}
        assert run.identity == identity("lottery", SETTINGS, 1)
        assert run.journal.records() == []
        assert run.subnetworks.is_dir()
        assert run.figures.is_dir()
        assert not run.finished
    assert tomllib.loads((run.path / "settings.toml").read_text())["settings"] == run.settings


def test_environment_says_where_and_when(tmp_path):
    with begin(tmp_path / "run") as run:
        run.finish()
    [session] = run.environment["sessions"]
    assert session["versions"].keys() >= {"karikomi", "torch", "numpy", "numba", "scipy", "pandas"}
    assert "pytest" not in session["versions"]
    assert session["versions"]["pandas"] == pd.__version__
    assert session["cpu"]
    assert session["cores"] >= 1
    started, finished = (datetime.fromisoformat(run.environment[key]) for key in ("started", "finished"))
    assert started.utcoffset() == timedelta(0)
    assert started <= finished


def test_resuming_keeps_everything_and_adds_a_session(tmp_path):
    with begin(tmp_path / "run") as run:
        run.journal.append({"round": 0})
        run.write_table("table", pd.DataFrame({"a": [1]}))
    (run.subnetworks / ".partial-0123").write_bytes(b"half")
    before = run.environment
    with begin(tmp_path / "run") as run:
        assert run.journal.records() == [{"round": 0}]
        assert pd.read_parquet(run.path / "table.parquet").a.tolist() == [1]
        assert run.environment["started"] == before["started"]
        assert run.environment["sessions"][:1] == before["sessions"]
        assert len(run.environment["sessions"]) == 2
        assert list(run.subnetworks.iterdir()) == []


def test_a_finished_run_stays_as_it_is(tmp_path):
    with begin(tmp_path / "run") as run:
        run.finish()
        assert run.finished
    before = contents(run.path)
    with begin(tmp_path / "run") as again:
        assert again.finished
        again.finish()
    assert contents(run.path) == before


def test_other_settings_are_refused(tmp_path):
    with begin(tmp_path / "run"):
        pass
    assert re.search(r"other settings \(seed: 0 → 7\); choose another folder", refusal(tmp_path / "run", seed=7))
    assert "(output: not set → 3)" in refusal(tmp_path / "run", output=3)
    assert "(schema: 1 → 2)" in refusal(tmp_path / "run", schema=2)
    assert "(study: 'lottery' → 'lesion')" in refusal(tmp_path / "run", study="lesion")
    many = refusal(tmp_path / "run", seed=1, rounds=2, rate=0.3, output=4, arm="x")
    assert many.count("→") == 3
    assert ", and 2 more)" in many


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    assert "not a run folder and not empty (thesis.tex)" in refusal(tmp_path / "run")
    with pytest.raises(InputError, match="is not a run folder"):
        RunFolder.open(tmp_path / "run")


def test_an_empty_folder_is_taken(tmp_path):
    with begin(tmp_path) as run:
        assert not run.finished


def test_what_cannot_be_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in refusal(tmp_path / "file")
    for path in (tmp_path / "file" / "run", tmp_path / "file" / "runs" / "run", tmp_path / ("long" * 100)):
        with pytest.raises(InputError, match=r"cannot write the run folder .*: ") as refused, begin(path):
            pass
        assert "\n" not in str(refused.value)
    assert contents(tmp_path) == {"file": b""}


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch, code):
    (tmp_path / "run").mkdir()
    real_open = os.open

    def refusing_open(path, flags, *args, **kwargs):
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            raise OSError(code, os.strerror(code), str(path))
        return real_open(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing_open)
    assert f"cannot write the run folder {tmp_path / 'run'}: {os.strerror(code)}" in refusal(tmp_path / "run")


def test_an_error_of_the_study_is_not_taken_for_ours(tmp_path):
    with pytest.raises(FileNotFoundError), begin(tmp_path / "run"):
        raise FileNotFoundError("of the study")
    with begin(tmp_path / "run") as run:  # and the lock is free again
        assert not run.finished


def test_damaged_runs_are_refused(tmp_path):
    with begin(tmp_path / "run") as run:
        pass
    for name, content in [("environment.json", b"{"), ("environment.json", b"[]"), ("settings.toml", b"[run]")]:
        file = run.path / name
        before = file.read_bytes()
        file.write_bytes(content)
        with pytest.raises(InputError, match=rf"{name} is .*damaged"):
            RunFolder.open(run.path)
        with pytest.raises(InputError, match=rf"{name} is .*damaged"), begin(run.path):
            pass
        assert file.read_bytes() == content
        file.write_bytes(before)
    assert RunFolder.open(run.path) == run


def test_a_second_writer_in_this_process_is_refused(tmp_path):
    with begin(tmp_path / "run") as run:
        message = refusal(run.path)
        assert message.endswith(f"is being written by another karikomi process (pid {os.getpid()})")
        assert RunFolder.open(run.path) == run  # reading needs no lock
    with begin(tmp_path / "run"):
        pass


HOLD = """
import sys
from pathlib import Path
from karikomi.runs.folder import RunFolder
with RunFolder.create_or_resume(Path(sys.argv[1]), "lottery", {"seed": 0}, 1):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_the_lock_keeps_others_out_until_its_holder_is_killed(tmp_path):
    def resume():
        return RunFolder.create_or_resume(tmp_path / "run", "lottery", {"seed": 0}, 1)

    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        before = contents(tmp_path)
        with pytest.raises(InputError, match=rf"being written by another .* \(pid {holder.pid}\)"), resume():
            pass
        assert contents(tmp_path) == before
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with resume() as run:
        assert len(run.environment["sessions"]) == 2


# Kills a run before its first, second, third … file operation, resumes it, and compares with an undisturbed one.
KILL_EVERYWHERE = """
import itertools, os, signal, sys
from pathlib import Path
import filelock, tomli_w
from karikomi.runs.folder import RunFolder

root = Path(sys.argv[1])

def run(path):
    with RunFolder.create_or_resume(path, "lottery", {"seed": 0}, 1) as folder:
        done = len(folder.journal.records())
        for round in range(done, 3):
            folder.journal.append({"round": round, "loss": round / 3})
        folder.finish()

def left(path):
    folder = RunFolder.open(path)
    assert folder.finished and not list(path.rglob(".partial-*"))
    return folder.journal.records(), (path / "settings.toml").read_bytes()

run(root / "undisturbed")
for kill_at in itertools.count():
    path = root / str(kill_at)
    child = os.fork()
    if child == 0:
        operations = itertools.count()
        def hook(event, arguments):
            if event.startswith(("open", "os.")) and arguments and str(path) in str(arguments[0]):
                if next(operations) == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        run(path)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    run(path)
    assert left(path) == left(root / "undisturbed"), kill_at
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
print(kill_at)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_before_any_file_operation_a_run_resumes(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILL_EVERYWHERE, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_runs_are_listed_by_start(tmp_path, monkeypatch):
    assert list_runs(tmp_path / "absent") == []
    for name, start in [("b", "2026-01-01"), ("c", "2026-01-03"), ("a", "2026-01-02")]:
        monkeypatch.setattr(environment, "now", lambda start=start: start)
        with begin(tmp_path / name):
            pass
    (tmp_path / "foreign").mkdir()
    (tmp_path / "file").write_text("")
    with begin(tmp_path / "damaged") as damaged:
        (damaged.path / "environment.json").unlink()
    assert [run.path.name for run in list_runs(tmp_path)] == ["b", "a", "c"]


def test_default_path_is_under_runs():
    assert default_path("lottery", "0123456789abcdef") == RUNS / "lottery-01234567"


def test_listing_runs_imports_nothing_heavy():
    script = "import sys; from karikomi.runs import folder, progress; folder.list_runs(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "pandas", "pyarrow", "safetensors", "filelock", "rich"} & set(loaded)


FRAME = pd.DataFrame({"arm": ["dense", "ticket"], "round": [0, 1], "loss": [0.1, float("nan")], "done": [True, False]})


def test_tables_come_back_equal_and_with_the_same_bytes(tmp_path):
    with begin(tmp_path / "run") as run:
        run.write_table("one", FRAME)
        run.write_table("two", FRAME.copy())
    pd.testing.assert_frame_equal(pd.read_parquet(run.path / "one.parquet"), FRAME, check_exact=True)
    assert (run.path / "one.parquet").read_bytes() == (run.path / "two.parquet").read_bytes()
