import hashlib
import http.server
import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dlcli.data.fetchable import Remote
from dlcli.errors import DataError, LockedError, StorageError
from dlcli.runs import download as module
from dlcli.runs.download import download, keep_contents

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes, no two stretches in a row alike
HINT = "copy it"


@dataclass
class Behaviour:
    """What the server does; ``asked`` is the Range header of each request."""

    content: bytes = CONTENT
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # after how many bytes each answer is cut
    status: int = 200
    shift: int = 0  # by how much an answer starts elsewhere than it was asked to
    length: bool = True
    silent: threading.Event | None = None  # no answer until this is set
    asked: list[str | None] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    behaviours: dict[str, Behaviour]

    def do_GET(self) -> None:
        behaviour = self.behaviours[self.path]
        asked = self.headers.get("Range")
        behaviour.asked.append(asked)
        if behaviour.silent is not None:
            behaviour.silent.wait(10)
            return
        if behaviour.status != 200:
            self.send_error(behaviour.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and behaviour.ranges else 0
        if start >= len(behaviour.content):
            self.send_error(416)
            return
        body = behaviour.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start + behaviour.shift}-{len(behaviour.content) - 1}/*")
        if behaviour.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = behaviour.cuts.pop(0) if behaviour.cuts else len(body)
        self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the answers under way


@pytest.fixture
def serve(monkeypatch) -> Iterator[Any]:
    """``serve({"/path": Behaviour(…)}) → the address``."""
    servers = []
    monkeypatch.setattr(module, "PAUSES", (0.01, 0.01))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def start(behaviours: dict[str, Behaviour]) -> str:
        handler = type("Own", (Handler,), {"behaviours": behaviours})
        server = Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def remote(*urls: str, content: bytes = CONTENT, **changes: Any) -> Remote:
    values = {"name": "images.gz", "urls": urls, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Remote(**values | changes)


@pytest.fixture
def goal(tmp_path):
    return tmp_path / "new" / "images.gz"


def part_of(goal):
    return goal.with_name("images.gz.part")


def test_a_file_arrives_whole_under_its_name_and_nothing_else_stays(serve, goal):
    seen: list[int] = []
    download(remote(serve({"/a": Behaviour()}) + "/a"), goal, hint=HINT, advance=seen.append)
    assert goal.read_bytes() == CONTENT
    assert [path.name for path in goal.parent.iterdir()] == ["images.gz"]
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)


def test_md5_is_enough(serve, goal):
    address = serve({"/a": Behaviour()}) + "/a"
    download(remote(address, sha256=None, md5=hashlib.md5(CONTENT).hexdigest()), goal, hint=HINT)
    assert goal.read_bytes() == CONTENT


def test_a_cut_connection_is_taken_up_where_it_was_cut(serve, goal):
    behaviour = Behaviour(cuts=[300_000, 200_000])
    download(remote(serve({"/a": behaviour}) + "/a"), goal, hint=HINT)
    assert goal.read_bytes() == CONTENT
    assert behaviour.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_what_came_in_an_earlier_process_is_not_asked_for_again(serve, goal):
    goal.parent.mkdir()
    part_of(goal).write_bytes(CONTENT[:400_000])
    behaviour = Behaviour()
    seen: list[int] = []
    download(remote(serve({"/a": behaviour}) + "/a"), goal, hint=HINT, advance=seen.append)
    assert goal.read_bytes() == CONTENT
    assert behaviour.asked == ["bytes=400000-"]
    assert seen[0] == 400_000


def test_a_whole_part_is_only_checked(serve, goal):
    goal.parent.mkdir()
    part_of(goal).write_bytes(CONTENT)
    behaviour = Behaviour()
    download(remote(serve({"/a": behaviour}) + "/a"), goal, hint=HINT)
    assert (goal.read_bytes(), behaviour.asked) == (CONTENT, [])


@pytest.mark.parametrize("old", [CONTENT[5:400_005], CONTENT[:-1] + b"x", CONTENT + b"more"], ids=["half", "whole", "too long"])
def test_a_part_of_something_else_is_dropped_and_the_file_got_anew(serve, goal, old):
    goal.parent.mkdir()
    part_of(goal).write_bytes(old)
    download(remote(serve({"/a": Behaviour()}) + "/a"), goal, hint=HINT)
    assert goal.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(serve, goal):
    behaviour = Behaviour(ranges=False, cuts=[300_000])
    download(remote(serve({"/a": behaviour}) + "/a"), goal, hint=HINT)
    assert goal.read_bytes() == CONTENT
    assert behaviour.asked == [None, "bytes=300000-"]


def test_a_server_that_answers_another_range_is_not_believed(serve, goal):
    goal.parent.mkdir()
    part_of(goal).write_bytes(CONTENT[:400_000])
    with pytest.raises(StorageError, match="it has 624000 bytes under this name"):
        download(remote(serve({"/a": Behaviour(shift=1)}) + "/a"), goal, hint=HINT)


def test_a_part_longer_than_the_servers_file_is_dropped(serve, goal):
    goal.parent.mkdir()
    part_of(goal).write_bytes(CONTENT[:400_000])
    with pytest.raises(StorageError, match="it has 1000 bytes under this name, expected 1,024,000"):
        download(remote(serve({"/a": Behaviour(content=CONTENT[:1000])}) + "/a"), goal, hint=HINT)
    assert not part_of(goal).exists()


def test_a_wrong_content_never_gets_the_name(serve, goal):
    goal.parent.mkdir()
    goal.write_bytes(b"the old one")
    other = bytes(len(CONTENT))
    with pytest.raises(DataError, match=r"its content has the digest .* expected") as caught:
        download(remote(serve({"/a": Behaviour(content=other)}) + "/a"), goal, hint=HINT)
    assert goal.read_bytes() == b"the old one"
    assert not part_of(goal).exists()
    assert caught.value.hint == HINT


@pytest.mark.parametrize("first", [Behaviour(status=404), Behaviour(content=bytes(len(CONTENT))), Behaviour(content=b"<html>")])
def test_the_next_address_is_asked_where_the_first_has_not_got_it(serve, goal, first):
    address = serve({"/a": first, "/b": Behaviour()})
    download(remote(f"{address}/a", f"{address}/b"), goal, hint=HINT)
    assert goal.read_bytes() == CONTENT


def test_what_no_address_has_is_a_storage_error_with_every_reason(serve, goal):
    address = serve({"/a": Behaviour(status=404), "/b": Behaviour(status=503)})
    with pytest.raises(StorageError) as caught:
        download(remote(f"{address}/a", f"{address}/b"), goal, hint=HINT)
    assert caught.value.message.splitlines() == [
        "cannot get images.gz (1.0 MB)",
        "127.0.0.1: the server says 404 Not Found",
        "127.0.0.1: the server says 503 Service Unavailable",
    ]
    assert caught.value.hint == HINT
    assert not goal.parent.exists()


def test_an_endless_answer_is_left(serve, goal):
    address = serve({"/a": Behaviour(content=CONTENT * 3, length=False)})
    with pytest.raises(StorageError, match="more than the expected 1,024,000 bytes"):
        download(remote(f"{address}/a"), goal, hint=HINT)


def test_an_address_that_always_cuts_is_given_up_and_what_came_is_kept(serve, goal):
    address = serve({"/a": Behaviour(cuts=[100_000, 0, 0, 0, 0, 0])})
    with pytest.raises(StorageError, match=r"the connection was cut; 0\.1 MB of 1\.0 MB came"):
        download(remote(f"{address}/a"), goal, hint=HINT)
    assert part_of(goal).read_bytes() == CONTENT[:100_000]


def test_nobody_listening_is_said_at_once(goal):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.perf_counter()
    with pytest.raises(StorageError, match=r"127\.0\.0\.1: Connection refused"):
        download(remote(f"http://127.0.0.1:{port}/a"), goal, hint=HINT)
    assert time.perf_counter() - start < 2


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_the_limit(serve, goal, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    over = threading.Event()
    address = serve({"/a": Behaviour(silent=over)})
    start = time.perf_counter()
    with pytest.raises(StorageError, match="no answer within"):
        download(remote(f"{address}/a"), goal, hint=HINT)
    assert time.perf_counter() - start < 2
    over.set()


def test_a_resolver_that_says_nothing_is_waited_for_no_longer_than_the_limit(goal, monkeypatch):
    monkeypatch.setattr(module, "REACH_SECONDS", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **names: time.sleep(3))
    start = time.perf_counter()
    with pytest.raises(StorageError, match="no answer within 0 s"):
        download(remote("http://example.invalid/a", "http://example.invalid/b"), goal, hint=HINT)
    assert time.perf_counter() - start < 2


def test_all_addresses_together_are_waited_for_less_than_ten_seconds():
    assert module.REACH_SECONDS < 9
    assert module.CONNECT_SECONDS <= 5


def test_two_processes_do_not_write_the_same_file(serve, goal):
    goal.parent.mkdir()
    code = (
        "import sys; from dlcli.runs import platform\n"
        "file = open(sys.argv[1], 'ab'); assert platform.try_lock(file.fileno())\n"
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(part_of(goal))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(LockedError, match=r"another process is getting images\.gz"):
            download(remote(serve({"/a": Behaviour()}) + "/a"), goal, hint=HINT)
        other.communicate(b"")


def test_a_disk_without_room_is_said_before_anything_comes(serve, goal, monkeypatch):
    monkeypatch.setattr(module.platform, "free_bytes", lambda path: 1_000_000)
    behaviour = Behaviour()
    with pytest.raises(StorageError, match=r"1\.0 MB free, 1\.0 MB more are needed") as caught:
        download(remote(serve({"/a": behaviour}) + "/a"), goal, hint=HINT)
    assert behaviour.asked == []
    assert "--to FOLDER" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_storage_error(goal):
    goal.parent.mkdir(mode=0o500)
    with pytest.raises(StorageError, match="no access to"):
        download(remote("http://127.0.0.1:9/a"), goal, hint=HINT)


def test_a_file_where_the_folder_should_be_is_a_storage_error(goal):
    goal.parent.write_bytes(b"")
    with pytest.raises(StorageError, match="new"):
        download(remote("http://127.0.0.1:9/a"), goal, hint=HINT)


def tar_of(contents: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


@pytest.fixture
def archive(tmp_path):
    """``archive(contents, kept) → (remote, path)``: an archive with these contents, of which the digests in ``kept`` are kept."""

    def make(contents: dict[str, bytes], **kept: str):
        content = tar_of(contents)
        path = tmp_path / "set" / "set.tar.gz"
        path.parent.mkdir()
        path.write_bytes(content)
        return remote("http://127.0.0.1:9/a", content=content, name="set.tar.gz", contents=kept), path

    return make


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_is_kept_of_an_archive_takes_its_place(archive):
    contents = {"readme": b"hello", "one": hashlib.sha256(b"1").digest() * 50, "two": b"2"}
    made, path = archive(contents, one=digest(contents["one"]), two=hashlib.md5(b"2").hexdigest())
    (path.parent / "two").write_bytes(b"an older one")
    keep_contents(made, path, path.parent, hint=HINT)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == {"one": contents["one"], "two": b"2"}


def test_an_archive_with_another_content_leaves_everything_as_it_was(archive):
    made, path = archive({"one": b"1", "two": b"2"}, one=digest(b"1"), two=digest(b"other"))
    with pytest.raises(DataError, match=f"two in .* expected {digest(b'other')}") as caught:
        keep_contents(made, path, path.parent, hint=HINT)
    assert [file.name for file in path.parent.iterdir()] == ["set.tar.gz"]
    assert caught.value.hint == HINT


def test_a_published_archive_that_is_a_bomb_is_refused(archive, monkeypatch):
    monkeypatch.setattr(module, "_UNPACKED", 3)
    made, path = archive({"one": bytes(5_000_000)}, one=digest(bytes(5_000_000)))
    with pytest.raises(DataError, match="is refused: unpacked it is larger than"):
        keep_contents(made, path, path.parent, hint=HINT)
    assert [file.name for file in path.parent.iterdir()] == ["set.tar.gz"]


def test_a_servers_word_on_the_size_is_taken_and_its_silence_or_refusal_said(serve):
    address = serve({"/a": Behaviour(), "/b": Behaviour(length=False), "/c": Behaviour(status=404)})
    assert module.published_size(f"{address}/a") == len(CONTENT)
    with pytest.raises(StorageError, match="does not say how long b is"):
        module.published_size(f"{address}/b")
    with pytest.raises(StorageError, match="the server says 404"):
        module.published_size(f"{address}/c")
