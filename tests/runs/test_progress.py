import io
import sys
import threading
from time import sleep

import pytest

from karikomi.runs import progress as module
from karikomi.runs.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that a test moves."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_quiet_says_nothing(monkeypatch, capsys, stream):
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    with progress("training", 10, quiet=True) as advance:
        advance(10, "still training")
    assert stderr.getvalue() == ""
    assert capsys.readouterr().out == ""


def test_plain_lines_come_by_the_rarer_of_share_and_time(capsys, clock):
    with progress("training", 1000, quiet=False) as advance:
        for seconds, steps in [(29, 500), (1, 1), (29, 98), (31, 50), (30, 51), (5, 270)]:
            clock.seconds += seconds
            advance(steps)
    # Half is done after 29 s, so that line waits for 30 s. At 59 s neither is up, at 90 s both are; at 120 s half a
    # minute is, but not a tenth of the steps, which is at 125 s.
    assert capsys.readouterr().err.splitlines() == [
        "training: 0 of 1,000 steps (0%)",
        "training: 501 of 1,000 steps (50%), 17 steps/s, 0:00:30 left",
        "training: 649 of 1,000 steps (65%), 7.2 steps/s, 0:00:49 left",
        "training: 970 of 1,000 steps (97%), 7.8 steps/s, 0:00:04 left",
        "training: 970 of 1,000 steps (97%) in 0:02:05",
    ]


def test_a_resumed_run_counts_its_rate_from_now(capsys, clock):
    with progress("training", 1000, quiet=False, completed=600) as advance:
        clock.seconds += 40
        advance(200, "round 3 of 10")
        clock.seconds += 10
        advance(200)
    assert capsys.readouterr().err.splitlines() == [
        "training: 600 of 1,000 steps (60%)",
        "round 3 of 10: 800 of 1,000 steps (80%), 5.0 steps/s, 0:00:40 left",
        "round 3 of 10: 1,000 of 1,000 steps (100%) in 0:00:50",
    ]


def test_nothing_to_do_is_all_done(capsys):
    with progress("training", 0, quiet=False):
        pass
    assert capsys.readouterr().err.count("0 of 0 steps (100%)") == 2


def test_a_run_that_fails_does_not_claim_its_end(capsys):
    with pytest.raises(KeyboardInterrupt), progress("training", 10, quiet=False):
        raise KeyboardInterrupt
    assert len(capsys.readouterr().err.splitlines()) == 1


class Step(int):
    """One step, the adding of which gives way to other threads halfway."""

    def __radd__(self, done: int) -> int:
        sleep(0)
        return int(done) + int(self)


@pytest.mark.parametrize("terminal", [True, False])
def test_threads_lose_no_steps(monkeypatch, terminal):
    stderr = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")

    def work():
        for _ in range(500):
            advance(Step(1))

    with progress("training", 4000, quiet=False) as advance:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    # A bar is drawn anew after each carriage return.
    last_drawn = stderr.getvalue().rsplit("\r", 1)[-1]
    assert ("100 %" if terminal else "4,000 of 4,000") in last_drawn


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("[round 1]", 100, quiet=False, completed=50) as advance:
        advance(25, "[round 2]")
        print("a result")
    shown = terminal.getvalue()
    assert "[round 1]" in shown
    assert "50 %" in shown
    assert "[round 2]" in shown
    assert "75 %" in shown
    assert "steps/s" in shown
    assert capsys.readouterr().out == "a result\n"


def test_a_dumb_terminal_gets_lines(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "dumb")
    with progress("training", 10, quiet=False) as advance:
        advance(10)
    assert terminal.getvalue().splitlines()[0] == "training: 0 of 10 steps (0%)"
