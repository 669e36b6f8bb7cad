"""The pages over a folder of runs, asked by a real server on a free port, and opened in a browser that reaches it."""

import http.client
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.browser import CHROMIUM, Browser

from karikomi.language.catalog import CELLS, catalog
from karikomi.runs.folder import RunFolder
from karikomi.serving.watched import progress
from karikomi.studies import find_study
from karikomi.studies.lottery.settings import LotterySettings
from karikomi.studies.result import Result
from karikomi.studies.run import run

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

HOSTILE = "<img src=x onerror=alert(1)>"
NUMBER = r"\d[\d,.]*\d|\d"
SECRET = "not for anybody"
SOCKETS = [path for path in map(Path, ("/proc/net/tcp", "/proc/net/tcp6")) if path.exists()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three runs of a lottery: two finished, one of a hostile name that stopped on its way; and what is no run."""
    top = tmp_path_factory.mktemp("folder")
    folder = top / "runs"
    folder.mkdir()
    (top / "secret.txt").write_text(SECRET)
    (folder / "notes.txt").write_text(SECRET)
    small = {"network": "mlp-8", "iterations": 4, "batch": 20, "validate_every": 2, "validation": 59_800, "rounds": 2}
    settings = LotterySettings.of(**small, replicates=2, engine="population", arms=("dense", "ticket"))
    for seed, name in enumerate(("first", "second")):
        run(find_study("lottery"), settings.changed(seed=seed), out=folder / name, quiet=True)
    stopped = folder / HOSTILE
    shutil.copytree(folder / "first", stopped, ignore=shutil.ignore_patterns("report.html", "figures"))
    lines = (stopped / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (stopped / "journal.jsonl").write_bytes(b"".join(lines[:2]))
    environment = (stopped / "environment.json").read_text()
    (stopped / "environment.json").write_text(re.sub(r'"finished": "[^"]+"', '"finished": null', environment))
    return folder


@pytest.fixture(scope="module")
def port(folder) -> Iterator[int]:
    yield from served(folder)


@pytest.fixture(scope="module")
def japanese(folder) -> Iterator[int]:
    yield from served(folder, "--language", "ja")


def served(folder: Path, *given: str) -> Iterator[int]:
    """The port of a server over a folder, until it is no longer needed."""
    command = [sys.executable, "-m", "karikomi", "serve", str(folder), "--port", "0", *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout
        line = server.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line + server.stdout.read()
        yield int(found[1])
        server.terminate()
        assert server.wait(30) is not None


def ask(port: int, path: str, host: str | None = None, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    """The status, the text and the headers; the path goes as it is, with all its dots."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=host is not None)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, dict(answer.getheaders())


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


def test_runs_are_listed_and_their_answers_are_those_of_the_command(port, folder):
    status, text, _ = ask(port, "/")
    assert status == 200
    assert text.count("lottery") == 3
    assert text.count(">finished<") == 2
    assert "unfinished, last task" in text
    status, answer, _ = ask(port, "/answer/first")
    shown = subprocess.run(
        [sys.executable, "-m", "karikomi", "show", str(folder / "first")], capture_output=True, text=True, check=True
    )
    assert answer.split('"')[3][:40] in shown.stdout


def test_a_finished_run_shows_its_page_which_may_reach_nothing(port, folder):
    status, text, headers = ask(port, "/run/first")
    assert status == 200
    assert text == (folder / "first" / "report.html").read_text()
    assert headers["content-security-policy"].startswith("sandbox allow-scripts allow-downloads; default-src 'none'")


def test_a_run_on_its_way_shows_its_journal_and_what_it_has_found(port):
    for path in (f"/run/{quote(HOSTILE)}", f"/watch/{quote(HOSTILE)}", f"/now/{quote(HOSTILE)}"):
        status, text, _ = ask(port, path)
        assert status == 200
        assert "rounds" in text
        assert "unfinished, last task" in text
        assert HOSTILE not in text


def test_two_runs_compare(port):
    status, text, _ = ask(port, "/compare?run=first&run=second")
    assert status == 200
    assert "first minus second" in text
    assert "which differ in seed (0 minus 1)" in text
    for query, message in (
        ("", "two runs compare; chosen are 0"),
        ("?run=first&run=first", "both runs have the same settings"),
        ("?run=first&run=../secret", "there is no run ../secret here"),
    ):
        status, text, _ = ask(port, f"/compare{query}")
        assert status == 404
        assert message in text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", ""])
def test_another_host_is_refused(port, host):
    status, text, _ = ask(port, "/", host)
    assert status == 400
    assert "lottery" not in text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:1234"])
def test_this_machine_is_not(port, host):
    assert ask(port, "/", host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_there_is_nothing_to_write(port, method):
    assert ask(port, "/", method=method)[0] == 405
    assert ask(port, "/run/first", method=method)[0] == 405


def test_no_path_leads_out_of_the_folder(port, folder):
    (folder / "second" / "outside").symlink_to(folder.parent / "secret.txt")
    ways = ("../secret.txt", "..", ".", "%2e%2e/secret.txt", "..%2fsecret.txt", "%2e%2e%2fsecret.txt", "notes.txt")
    ways += (
        "first/../../secret.txt",
        "second/outside",
        "first/settings.toml",
        str(folder.parent / "secret.txt"),
        "%00",
    )
    for start in ("/run/", "/watch/", "/answer/", "/now/", "/"):
        for way in ways:
            status, text, _ = ask(port, start + way)
            assert status in (400, 404), start + way
            assert SECRET not in text
    (folder / "second" / "outside").unlink()


def test_a_page_that_leads_elsewhere_is_not_shown(port, folder):
    page = folder / "second" / "report.html"
    kept = page.read_bytes()
    page.unlink()
    page.symlink_to(folder.parent / "secret.txt")
    status, text, _ = ask(port, "/run/second")
    assert status == 200
    assert SECRET not in text
    page.unlink()
    page.write_bytes(kept)


def test_nothing_is_written_and_every_page_says_what_may_be_loaded(port, folder):
    before = content(folder)
    for path in (
        "/",
        "/run/first",
        f"/watch/{quote(HOSTILE)}",
        "/compare?run=first&run=second",
        "/serve.js",
        "/absent",
    ):
        _, _, headers = ask(port, path)
        if path != "/absent":
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert content(folder) == before


@pytest.mark.skipif(not SOCKETS, reason="only Linux tells who listens where in a file")
def test_it_listens_on_this_machine_alone(port):
    lines = [line for table in SOCKETS for line in table.read_text().splitlines()[1:]]
    listening = [line.split()[1].split(":") for line in lines if line.split()[3] == "0A"]
    assert {address for address, number in listening if int(number, 16) == port} == {"0100007F"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "there is no folder absent"),
        ([".", "--port", "70000"], "port must lie between 0 and 65535; it is 70000"),
    ],
)
def test_what_is_wrong_costs_a_line(command, arguments, message):
    status, out, err = command("serve", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_port_that_is_taken_costs_a_line(command, port):
    status, _, err = command("serve", ".", "--port", str(port))
    assert (status, err.count("\n")) == (2, 1)
    assert f"cannot listen on port {port}" in err


def test_without_the_extra_it_says_what_to_install(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, _, err = command("serve", ".")
    assert (status, err.count("\n")) == (2, 1)
    assert "pip install 'karikomi[serve]'" in err


PAGES = ("/", "/watch/first", f"/watch/{quote(HOSTILE)}", "/compare?run=first&run=second", "/compare?run=first")
PAGES += ("/run/absent", "/compare?run=first&run=first")


def test_a_page_in_japanese_has_the_numbers_of_the_english_one(port, japanese):
    for path in PAGES:
        shown = [
            re.sub(r"<(script|link|meta)[^>]*>|last task .*? ago|作業は.*?前", "", ask(where, path)[1])
            for where in (port, japanese)
        ]
        english, ours = (Counter(re.findall(NUMBER, unescape(re.sub(r"<[^>]*>", " ", text)))) for text in shown)
        assert ours == english, path
        assert '<html lang="ja">' in shown[1]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the pages with")
def test_no_english_is_left_on_a_page_in_japanese(japanese, folder, tmp_path):
    first = Result(find_study("lottery"), RunFolder.open(folder / "first"))
    said = [*catalog("ja").values(), *catalog("ja", CELLS).values()]
    named = [str(folder), HOSTILE, "first second absent lottery", *LotterySettings.model_fields, str(first.settings)]
    stages = [stage.stage for stage in progress(first.folder)]
    known = words_of(re.sub(r"{\w+}", "", " ".join(said + named + stages)))
    with Browser(tmp_path / "profile") as browser:
        for path in PAGES:
            browser.open(f"http://127.0.0.1:{japanese}{path}")
            browser.wait("[...document.querySelectorAll('.answer')].every(cell => cell.textContent.length > 5)")
            said = "[...document.querySelectorAll('[aria-label]')].map(each => each.ariaLabel).join(' ')"
            shown = (
                f"{browser.value('document.title')} {browser.value('document.body.innerText')} {browser.value(said)}"
            )
            assert words_of(shown) - known == set(), path
        assert not [text for text in browser.complaints if "404" not in text]


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[a-z][a-z0-9]+", text.lower()))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to open the pages with")
def test_in_a_browser_answers_arrive_two_ticks_compare_and_a_run_is_watched(port, folder, tmp_path):
    with Browser(tmp_path / "profile") as browser:
        browser.open(f"http://127.0.0.1:{port}/")
        browser.wait("[...document.querySelectorAll('.answer')].every(cell => cell.textContent.length > 10)")
        assert browser.value("document.querySelectorAll('tbody img').length") == 0
        assert HOSTILE in browser.value("[...document.querySelectorAll('tbody a')].map(link => link.textContent)")
        assert browser.value("document.getElementById('compare').disabled")
        for name in (HOSTILE, "first", "second"):
            browser.value(f"[...document.querySelectorAll('input')].find(box => box.value === {name!r}).click()")
        ticked = "[...document.querySelectorAll('input:checked')].map(box => box.value).sort()"
        assert browser.value(ticked) == ["first", "second"]
        browser.value("document.getElementById('compare').click()")
        browser.wait("document.title.includes(' − ')")

        browser.open(f"http://127.0.0.1:{port}/watch/{quote(HOSTILE)}")
        tasks = "document.querySelector('#now td.number').textContent"
        before = int(browser.value(tasks))
        # The run goes on: the next lines of its journal, and its end.
        whole = (folder / "first" / "journal.jsonl").read_bytes()
        (folder / HOSTILE / "journal.jsonl").write_bytes(whole)
        browser.wait(f"{tasks} > {before}")
        shutil.copy(folder / "first" / "environment.json", folder / HOSTILE / "environment.json")
        browser.wait("!document.getElementById('page').hidden")
        assert browser.complaints == []
        browser.open(f"http://127.0.0.1:{port}/run/first")
        browser.wait("[...document.querySelectorAll('.card')].every(card => card.querySelector('.marks'))")
        assert browser.complaints == []
