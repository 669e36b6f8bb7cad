"""Downloads from a server on this machine, whole and broken."""

import hashlib
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from karikomi import data
from karikomi.data.published import PUBLISHED, Published, cache
from karikomi.errors import InputError
from karikomi.runs import download as module
from karikomi.runs.download import download

FILES = {"one": b"1" * 200_000, "two": b"2" * 10}


class Handler(BaseHTTPRequestHandler):
    how = "whole"

    def do_GET(self):
        content, how = FILES[self.path[1:]], self.how if self.path == "/two" else "whole"
        self.send_response(404 if how == "gone" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write({"changed": b"x" * 10, "cut": content[:5], "gone": b""}.get(how, content))

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        checksums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setitem(PUBLISHED, "kmnist", Published(url, checksums))
        yield url
        server.shutdown()
        thread.join()


def test_a_download_is_in_the_cache_and_is_not_repeated(server, monkeypatch, capsys):
    assert data.missing("kmnist")
    folder = download("kmnist")
    assert folder == cache("kmnist")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    assert data.missing("kmnist") == ""
    told = capsys.readouterr()
    assert (told.out, "one" in told.err) == ("", True)
    monkeypatch.setattr(module, "urlopen", None)
    assert download("kmnist") == folder


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("changed", "two gave 10 bytes that are not the published file"),
        ("cut", "two gave 5 bytes that are not the published file|cannot download .*two"),
        ("gone", "cannot download .*two: 404"),
    ],
)
def test_a_broken_download_leaves_nothing_behind(server, monkeypatch, tmp_path, how, message):
    monkeypatch.setattr(Handler, "how", how)
    with pytest.raises(InputError, match=message) as refused:
        download("kmnist")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(Handler, "how", "whole")
    assert download("kmnist").is_dir()


def test_no_server_and_an_interruption_leave_nothing_behind(server, monkeypatch, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    with monkeypatch.context() as patched:
        patched.setitem(PUBLISHED, "kmnist", PUBLISHED["kmnist"]._replace(url=url))
        with pytest.raises(InputError, match=r"cannot download .*refused"):
            download("kmnist")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module.shutil, "copyfileobj", interrupt)
        with pytest.raises(KeyboardInterrupt):
            download("kmnist")
    assert not (tmp_path / "cache").exists()
    cache("kmnist").mkdir(parents=True)
    (cache("kmnist") / ".partial-0").write_bytes(b"left by a killed one")
    assert sorted(path.name for path in download("kmnist").iterdir()) == ["one", "two"]


def test_a_cache_that_cannot_be_written_costs_one_line(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot write .*: Not a directory"):
        download("kmnist")


def test_only_published_data_are_downloaded():
    with pytest.raises(InputError, match="unknown data set to download 'mnist'; did you mean"):
        download("mnist")
