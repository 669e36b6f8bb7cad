"""What holds for every tracker: once for each run, and a run that is refused is not lost."""

import tomllib

import pytest
from tests.documents import TOP

from karikomi import tracking
from karikomi.errors import InputError
from karikomi.registry import Registry
from karikomi.tracking import TRACKERS, Tracker, tracker

WRONG = [
    ("mlflw", "unknown tracker 'mlflw'; did you mean 'mlflow'?"),
    ("mlflow:", "track should be mlflow[:URI]; it is mlflow:"),
    ("tensorboard", "track should be tensorboard:DIR; it is tensorboard"),
    ("tensorboard:", "track should be tensorboard:DIR"),
    ("wandb:team", "track should be wandb; it is wandb:team"),
]
LOTTERY = ["lottery", "--network", "mlp-8", "--iterations", "4", "--rounds", "2", "--replicates", "2"]
LOTTERY += ["--validation", "100", "--engine", "population"]


def refusing(record, place):
    raise ConnectionError(f"nobody at {place},\nnot even now")


@pytest.fixture
def stub(monkeypatch):
    """Makes a tracker of a function, by the name stub."""

    def make(function, needs=()):
        entry = Tracker(function, "a stub", needs=needs, place=":PLACE")
        monkeypatch.setattr(tracking, "TRACKERS", Registry("tracker", {"stub": entry}))

    return make


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_what_is_wrong_is_said_before_anything_is_written(command, tmp_path, given, message) -> None:
    status, out, err = command(*LOTTERY, "--track", given)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not any(tmp_path.iterdir())


def test_a_missing_package_is_said_before_anything_is_written(command, tmp_path, stub, monkeypatch) -> None:
    (tmp_path / "nowhere_tracker").mkdir()  # a folder, such as one that a tracker writes into, is no package
    monkeypatch.syspath_prepend(tmp_path)
    for package in ("no_such_tracker", "nowhere_tracker"):
        stub(refusing, needs=(package,))
        status, out, err = command(*LOTTERY, "--track", "stub:x")
        expected = "karikomi: track stub needs a package; install it with: pip install 'karikomi[stub]'\n"
        assert (status, out, err) == (2, "", expected)
    assert [path.name for path in tmp_path.iterdir()] == ["nowhere_tracker"]


@pytest.mark.parametrize("name", TRACKERS)
def test_the_extra_is_called_like_the_tracker(name) -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert name in project["optional-dependencies"]


def test_a_refused_run_is_whole_and_can_be_sent_later(command, stub) -> None:
    stub(refusing)
    status, out, err = command(*LOTTERY, "--out", "run", "--track", "stub:x", "--quiet")
    assert status == 0
    assert "Ticket minus dense" in out
    line = "stub does not take the run: nobody at x, not even now"
    assert err == f"karikomi: {line}; the run is whole: karikomi track run stub:x\n"
    assert command("show", "run")[1] == out
    assert command("track", "run", "stub:x") == (2, "", f"karikomi: {line}\n")
    taken = []
    stub(lambda record, place: taken.append(record) or f"{record.name} is at {place}")
    assert command("track", "run", "stub:x") == (0, "run is at x\n", "")
    status, again, err = command(*LOTTERY, "--out", "run", "--track", "stub:y")
    assert (status, again, err) == (0, out, "run is at y\n"), "a finished run is sent, too"
    assert [record.tags["identity"] for record in taken] == [taken[0].tags["identity"]] * 2


def test_an_unfinished_run_is_not_sent(result, stub) -> None:
    stub(refusing)
    file = result.folder.path / "environment.json"
    file.write_text(file.read_text().replace('"finished": "', '"finished": null, "was": "'))
    with pytest.raises(InputError, match=r"tickets is not finished; the command that began it goes on with it"):
        tracker("stub:x")(result)


def test_python_takes_the_same(stub, tmp_path, small_runs, capsys) -> None:
    import karikomi

    stub(lambda record, place: f"{record.name} is at {place}")
    settings = {name: value for name, value in small_runs("lottery").settings if value is not None}
    run = karikomi.lottery(**settings, out=small_runs("lottery").folder.path, quiet=True, track="stub:x")
    assert run.folder.finished
    assert capsys.readouterr().err == ""
    with pytest.raises(InputError, match="track should be stub:PLACE"):
        karikomi.lottery(preset="quick", out=tmp_path / "none", track="stub")
    assert not (tmp_path / "none").exists()
