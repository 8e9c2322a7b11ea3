"""Downloads from a server on this machine: whatever goes wrong leaves nothing behind."""

import errno
import http.server
import io
import shutil
import socket
import socketserver
import subprocess
import sys
import threading

import pytest
from small_mnist import FILE, IMAGES, LABELS, NAMES, SMALL, packed, put

from rnnlite import datasets
from rnnlite.cache_folder import cache_folder
from rnnlite.datasets import idx, images

pooch = pytest.importorskip("pooch", reason="downloads need pooch")


class Handler(http.server.BaseHTTPRequestHandler):
    """``/<manner>/<file>``: the file, served in that manner."""

    def do_GET(self):
        _, manner, file = self.path.split("/")
        self.server.asked.append((manner, file))
        getattr(self, manner)(packed(SMALL[file.removesuffix(".gz")][0]))

    def head(self, length, status=200, **fields):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for field, value in fields.items():
            self.send_header(field, value)
        self.end_headers()

    def good(self, content):
        self.head(len(content))
        self.wfile.write(content)

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

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    # Not http.server's own class, which asks the network for this machine's name.
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.asked, server.closing = [], threading.Event()
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    server.address = f"http://127.0.0.1:{server.server_address[1]}/"
    yield server
    server.closing.set()
    server.shutdown()
    serving.join()
    server.server_close()  # waits for the threads that answer


@pytest.fixture
def load(small, server, monkeypatch):
    """Load the small data set, with these mirrors."""
    monkeypatch.setattr(images, "TIMEOUT", 0.4)

    def call(*manners):
        mirrors = [m if ":" in m else f"{server.address}{m}/" for m in manners]
        monkeypatch.setattr(images, "DIGITS", images.DIGITS._replace(mirrors=mirrors))
        return datasets.mnist(validation=4)

    return call


def downloaded():
    """Names of what is in the cache, each of which must be right."""
    folder = cache_folder() / "mnist"
    paths = sorted(folder.iterdir()) if folder.exists() else []
    for path in paths:
        with path.open("rb") as stream:
            idx.read(stream, path, SMALL[path.name.removesuffix(".gz")][1])
    return [path.name for path in paths]


ALL = sorted(f"{name}.gz" for name in NAMES)


def test_mnist_downloads_once_into_the_cache(load, server):
    for _ in range(2):
        assert [len(part.labels) for part in load("good")] == [36, 4, 20]
    assert sorted(file for _, file in server.asked) == downloaded() == ALL


def test_only_missing_files_are_downloaded(small, load, server, monkeypatch):
    monkeypatch.setenv("RNNLITE_DATA", str(put(small / "data", NAMES[:2], as_gz=False)))
    put(cache_folder() / "mnist", NAMES[2:3])
    assert len(load("good").test.labels) == 20
    assert server.asked == [("good", f"{NAMES[3]}.gz")]


BAD_MANNERS = {
    "page": r"MD5 hash of downloaded file",
    "cut": r"IncompleteRead|forcibly closed|reset",
    "short": r"MD5 hash of downloaded file",
    "missing": r"HTTP 404",
    "hang": r"timed out",
    "stall": r"timed out",
}


@pytest.mark.parametrize("manner", BAD_MANNERS)
def test_bad_mirror_leaves_nothing_and_is_named_with_its_reason(load, manner):
    with pytest.raises(datasets.DataNotFound, match=BAD_MANNERS[manner]) as caught:
        load(manner)
    message = str(caught.value)
    assert message.startswith("MNIST could not be downloaded from 127.0.0.1:")
    assert message.endswith(f"put its files in the folder {cache_folder() / 'mnist'}")
    assert "\n" not in message and downloaded() == []


@pytest.mark.parametrize("manner", ["page", "missing", "hang"])
def test_the_next_mirror_is_tried_and_kept(load, server, manner):
    load(manner, "good")
    assert downloaded() == ALL
    assert [manner for manner, _ in server.asked] == [manner, "good", "good", "good", "good"]


def test_redirections_are_followed(load):
    load("moved")
    assert downloaded() == ALL


def test_every_mirror_is_named_when_all_fail(load):
    with socket.socket() as free:  # a mirror that refuses connections
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(datasets.DataNotFound) as caught:
        load(f"http://127.0.0.1:{port}/", "missing", "page")
    message = str(caught.value)
    assert message.count("127.0.0.1:") == 3 and "\n" not in message
    assert "HTTP 404" in message and ("efused" in message or "10061" in message)


def test_broken_download_does_not_touch_the_other_files(load):
    folder = put(cache_folder() / "mnist", [LABELS])
    before = (folder / f"{LABELS}.gz").read_bytes()
    with pytest.raises(datasets.DataNotFound):
        load("cut")
    assert downloaded() == [f"{LABELS}.gz"]
    assert (folder / f"{LABELS}.gz").read_bytes() == before


def test_machine_without_names_is_told_of_every_mirror(small, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")

    def no_names(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    hosts = ("ossci-datasets.s3.amazonaws.com", "storage.googleapis.com", "yann.lecun.com")
    mirrors = [f"https://{host}/mnist/" for host in hosts]
    monkeypatch.setattr(images, "DIGITS", images.DIGITS._replace(mirrors=mirrors))
    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.mnist(validation=0)
    for host in hosts:
        assert f"{host} (Name or service not known)" in str(caught.value)


def test_waiting_for_mirrors_in_all_is_bounded():
    for source in images.DIGITS, images.CLOTHES:
        assert images.TIMEOUT[0] * len(source.mirrors) <= 12
        assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in source.mirrors)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_what_stops_the_writing_leaves_nothing(load, monkeypatch, error):
    def stopped(*arguments):
        raise error

    monkeypatch.setattr(shutil, "move", stopped)
    with pytest.raises((KeyboardInterrupt, datasets.DataNotFound)) as caught:
        load("good")
    assert downloaded() == []
    if isinstance(error, OSError):
        folder = cache_folder() / "mnist"
        assert f"MNIST could not be kept in {folder} (No space left)" in str(caught.value)


def test_cache_that_cannot_be_made_is_told_before_any_download(load, server):
    cache_folder().write_bytes(b"")
    with pytest.raises(datasets.DataNotFound, match=r"could not be kept in .*RNNLITE_CACHE"):
        load("good")
    assert server.asked == []


def test_downloads_at_once_do_not_harm_each_other(load):
    start, failures = threading.Barrier(3), []
    load("good")  # sets the mirrors
    shutil.rmtree(cache_folder())

    def run():
        start.wait()
        try:
            datasets.mnist(validation=0)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and downloaded() == ALL


@pytest.mark.parametrize("library", ["pooch", "requests"])
def test_missing_library_says_what_to_install(small, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.mnist(validation=0)
    assert f"the library {library} is needed" in str(caught.value)
    assert "pip install pooch" in str(caught.value)


@pytest.mark.parametrize("terminal", [True, False, None])
def test_progress_is_shown_on_a_terminal_only(load, monkeypatch, terminal):
    pytest.importorskip("tqdm", reason="the bar is tqdm's")

    class Screen(io.StringIO):
        def isatty(self):
            return terminal

    screen = None if terminal is None else Screen()  # None as under pythonw on Windows
    monkeypatch.setattr(sys, "stderr", screen)
    level = pooch.get_logger().level
    load("good")
    assert pooch.get_logger().level == level
    if screen is not None:
        assert ("100%" in screen.getvalue()) == terminal
        assert terminal or screen.getvalue() == ""


def test_import_brings_in_nothing_for_downloads_and_frames():
    names = ("pooch", "requests", "tqdm", "urllib3", "narwhals", "pandas", "polars")
    code = f"import sys, rnnlite.datasets\nprint([m for m in {names} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_published_sum_is_that_of_the_compressed_file():
    assert FILE.packed_md5 != FILE.md5 and IMAGES == FILE.name
    for source in images.DIGITS, images.CLOTHES:
        assert all(len(file.packed_md5) == len(file.md5) == 32 for file in source.files)
