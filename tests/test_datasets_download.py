"""Downloads from a server on this machine: whatever goes wrong leaves nothing behind."""

import errno
import gzip
import http.server
import io
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_mnist import FILE, IMAGES, LABELS, NAMES, SMALL, mnist_module, put

from rnnlite import datasets
from rnnlite.cache_folder import cache_folder
from rnnlite.datasets import download, idx
from rnnlite.saving import atomic


class Handler(http.server.BaseHTTPRequestHandler):
    """``/<manner>/<file>``: the file, served in that manner."""

    def do_GET(self):
        _, manner, file = self.path.split("/")
        self.server.asked.append((manner, file))
        getattr(self, manner)(gzip.compress(SMALL[file.removesuffix(".gz")][0]))

    def head(self, length, status=200, **fields):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for field, value in fields.items():
            self.send_header(field.replace("_", "-"), value)
        self.end_headers()

    def good(self, content):
        self.head(len(content))
        self.wfile.write(content)

    def other(self, content):  # whole, but not the file asked for
        self.good(gzip.compress(gzip.decompress(content)[:-1] + b"?"))

    def page(self, content):
        self.good(b"<html>Please log in to this network</html>")

    def cut(self, content):  # the connection breaks
        self.head(len(content))
        self.wfile.write(content[: len(content) // 2])

    def short(self, content):  # half a file that claims to be whole
        self.good(content[: len(content) // 2])

    def missing(self, content):
        self.head(0, 404)

    def moved(self, content):
        self.head(0, 302, Location=self.path.replace("moved", "good"))

    def hang(self, content):  # no answer at all
        self.server.closing.wait(30)

    def stall(self, content):  # an answer that never ends
        self.head(len(content))
        self.wfile.write(content[:100])
        self.wfile.flush()
        self.server.closing.wait(30)

    def drip(self, content):  # for the socket alive, for the user dead
        self.head(len(content))
        try:
            self.wfile.write(content[:20_000])
            for _ in range(100):
                if self.server.closing.wait(0.05):
                    break
                self.wfile.write(b"?")
        except OSError:
            pass  # the client has had enough

    def flood(self, content):
        self.head(1 << 40)
        try:
            while not self.server.closing.is_set():
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass  # the client has had enough

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "*")
    # Not http.server's own class, which asks the network for this machine's name.
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.asked, server.closing = [], threading.Event()
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    server.mirrors = lambda *manners: tuple(f"{address}/{manner}/" for manner in manners)
    yield server
    server.closing.set()
    server.shutdown()
    serving.join()
    server.server_close()  # waits for the threads that answer


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(download, "FIRST_ANSWER", 0.6)
    monkeypatch.setattr(download, "NEXT_ANSWER", 0.3)
    monkeypatch.setattr(download, "STALLED", 0.9)


@pytest.fixture
def nowhere():
    """A mirror that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


def test_mnist_downloads_once_into_the_cache(small, server, monkeypatch):
    monkeypatch.setattr(mnist_module, "MIRRORS", server.mirrors("good"))
    for _ in range(2):
        data = datasets.mnist(validation=4)
        assert [len(part.labels) for part in data] == [36, 4, 20]
    assert sorted(server.asked) == sorted(("good", f"{name}.gz") for name in NAMES)
    folder = cache_folder() / "mnist"
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{n}.gz" for n in NAMES)


def test_only_missing_files_are_downloaded(small, server, monkeypatch):
    monkeypatch.setattr(mnist_module, "MIRRORS", server.mirrors("good"))
    monkeypatch.setenv("RNNLITE_DATA", str(put(small / "data", NAMES[:2], packed=False)))
    put(cache_folder() / "mnist", NAMES[2:3])
    assert len(datasets.mnist(validation=4).test.labels) == 20
    assert server.asked == [("good", f"{NAMES[3]}.gz")]


BAD_MANNERS = {
    "other": r"MD5 [0-9a-f]{32}; expected [0-9a-f]{32}",
    "page": r"not a gzip file: it begins 3c68746d; expected 1f8b",
    "cut": r"IncompleteRead|forcibly closed|reset",
    "short": r"the gzip data ends early",
    "missing": r"HTTP 404",
    "hang": r"no answer within 0.6 s|timed out",
    "stall": r"silent for 0.9 s|timed out",
    "drip": r"silent for 0.9 s",
    "flood": r"larger than \d+ bytes",
}


@pytest.mark.parametrize("manner", BAD_MANNERS)
def test_bad_mirror_leaves_nothing_and_is_named_with_its_reason(
    server, impatient, tmp_path, manner
):
    with pytest.raises(datasets.DataNotFound, match=BAD_MANNERS[manner]) as caught:
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors(manner))
    message = str(caught.value)
    assert message.startswith("MNIST could not be downloaded from 127.0.0.1:")
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("manner", BAD_MANNERS)
def test_the_next_mirror_is_tried_and_then_stays_first(server, impatient, tmp_path, manner):
    mirrors = server.mirrors(manner, "good")
    files = [SMALL[name][1] for name in NAMES]
    download.fetch("MNIST", files, tmp_path, mirrors)
    for file in files:
        idx.read(tmp_path / f"{file.name}.gz", file.shape, file.md5)
    assert len(list(tmp_path.iterdir())) == 4
    assert [manner for manner, _ in server.asked] == [manner, "good", "good", "good", "good"]


def test_redirections_are_followed(server, tmp_path):
    download.fetch("MNIST", [FILE], tmp_path, server.mirrors("moved"))
    idx.read(tmp_path / f"{IMAGES}.gz", FILE.shape, FILE.md5)


def test_every_mirror_is_named_when_all_fail(server, nowhere, tmp_path):
    mirrors = (nowhere, *server.mirrors("missing", "page"))
    with pytest.raises(datasets.DataNotFound) as caught:
        download.fetch("MNIST", [FILE], tmp_path, mirrors)
    message = str(caught.value)
    assert message.count("127.0.0.1:") == 3 and "RNNLITE_DATA" in message
    assert "HTTP 404" in message and "not a gzip file" in message and "\n" not in message
    assert "efused" in message or "10061" in message
    assert list(tmp_path.iterdir()) == []


def test_broken_download_does_not_touch_the_other_files(server, impatient, tmp_path):
    put(tmp_path, [LABELS])
    before = (tmp_path / f"{LABELS}.gz").read_bytes()
    with pytest.raises(datasets.DataNotFound):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("cut"))
    assert [path.name for path in tmp_path.iterdir()] == [f"{LABELS}.gz"]
    assert (tmp_path / f"{LABELS}.gz").read_bytes() == before


def test_machine_without_names_gives_up_at_once(monkeypatch, tmp_path):
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "*")

    def no_names(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    start = time.monotonic()
    with pytest.raises(datasets.DataNotFound) as caught:
        download.fetch("MNIST", [FILE], tmp_path, mnist_module.MIRRORS)
    assert time.monotonic() - start < 2
    for host in "ossci-datasets.s3.amazonaws.com", "storage.googleapis.com", "yann.lecun.com":
        assert f"{host} (Name or service not known)" in str(caught.value)


def test_look_up_that_never_ends_is_given_up(monkeypatch, impatient, tmp_path):
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "*")
    release = threading.Event()

    def silent(*arguments, **options):
        release.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    start = time.monotonic()
    with pytest.raises(datasets.DataNotFound) as caught:
        download.fetch("MNIST", [FILE], tmp_path, mnist_module.MIRRORS)
    taken = time.monotonic() - start
    release.set()
    assert taken < 3
    # the first had its full time, the others less
    assert str(caught.value).count("no answer within 0.6 s") == 1
    assert str(caught.value).count("no answer within 0.3 s") == 2


def test_waiting_in_all_is_a_few_seconds():
    others = len(mnist_module.MIRRORS) - 1
    assert download.FIRST_ANSWER + others * download.NEXT_ANSWER < 8


def test_an_interrupted_wait_leaves_nothing(server, monkeypatch, tmp_path):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(download._Incoming, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert list(tmp_path.iterdir()) == []


def test_a_transfer_given_up_takes_no_more_memory():
    incoming = download._Incoming(1000, 1.0)
    incoming.write(b"some")
    incoming.abandoned = True
    with pytest.raises(OSError, match="given up"):
        incoming.write(b"more")
    assert incoming.content == b"some"


def test_an_interrupted_write_leaves_nothing(server, monkeypatch, tmp_path):
    seen = []

    def interrupted(number):
        seen.extend(path.name for path in tmp_path.iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert len(seen) == 1 and seen[0] not in (IMAGES, f"{IMAGES}.gz")  # no one's name
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_told_and_leaves_nothing(server, monkeypatch, tmp_path):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(datasets.DataNotFound, match=r"could not be kept in .*No space left"):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert list(tmp_path.iterdir()) == []


def test_cache_that_cannot_be_made_is_told_before_any_download(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(datasets.DataNotFound, match=r"could not be kept in .*RNNLITE_CACHE"):
        download.fetch("MNIST", [FILE], tmp_path / "file" / "mnist", server.mirrors("good"))
    assert server.asked == []


def test_file_that_another_process_is_reading_is_left_in_peace(server, monkeypatch, tmp_path):
    def refused(self, target):
        raise PermissionError(errno.EACCES, "in use", str(target))

    monkeypatch.setattr(atomic, "PATIENCE", ())
    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(datasets.DataNotFound, match="in use"):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert list(tmp_path.iterdir()) == []
    put(tmp_path, [IMAGES])
    download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert [path.name for path in tmp_path.iterdir()] == [f"{IMAGES}.gz"]


def test_downloads_at_once_do_not_harm_each_other(server, tmp_path):
    files = [SMALL[name][1] for name in NAMES]
    start, failures = threading.Barrier(4), []

    def run():
        start.wait()
        try:
            download.fetch("MNIST", files, tmp_path, server.mirrors("good"))
            for file in files:
                idx.read(tmp_path / f"{file.name}.gz", file.shape, file.md5)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{n}.gz" for n in NAMES)


@pytest.mark.parametrize("library", ["pooch", "requests"])
def test_missing_library_says_what_to_install(monkeypatch, tmp_path, library):
    pytest.importorskip("pooch")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(datasets.DataNotFound) as caught:
        download.fetch("MNIST", [FILE], tmp_path, ("http://127.0.0.1/",))
    assert f"the library {library} is needed" in str(caught.value)
    assert "pip install pooch" in str(caught.value)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(server, monkeypatch, tmp_path, terminal):
    pytest.importorskip("tqdm")

    class Screen(io.StringIO):
        def isatty(self):
            return terminal

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert ("100%" in screen.getvalue()) == terminal
    assert terminal or screen.getvalue() == ""


def test_download_works_without_a_stderr(server, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw on Windows
    download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    idx.read(tmp_path / f"{IMAGES}.gz", FILE.shape, FILE.md5)


def test_import_brings_in_nothing_for_downloads():
    code = (
        "import sys, rnnlite.datasets\n"
        "print([m for m in ('pooch', 'requests', 'tqdm', 'urllib3') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
