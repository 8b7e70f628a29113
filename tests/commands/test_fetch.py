import functools
import hashlib
import http.server
import io
import random
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcli.commands import fetch as module
from dlcli.commands.console import Talk
from dlcli.commands.fetch import Fetched, fetch, listing, published_sets
from dlcli.config.catalog import entries
from dlcli.data.cifar import CIFAR10
from dlcli.data.fetchable import Published, Remote
from dlcli.errors import ConfigError, Interrupted, StorageError, Terminated, UsageError

IMAGES, LABELS = random.Random(0).randbytes(256_000), b"labels"


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *_: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[tuple[str, list[str]]]:
    """An address whose files are those in tmp_path/www, and what was asked of it."""
    (tmp_path / "www").mkdir()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler = type("Own", (Handler,), {"asked": []})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path / "www"))
    ) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", handler.asked
        running.shutdown()


@pytest.fixture
def tiny(server, tmp_path, monkeypatch) -> Published:
    """The set ``tiny``, two files as they are and an archive that is unpacked; on the server, and the only one there is."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name in ("batches/one.bin", "batches/readme"):
            info = tarfile.TarInfo(name)
            info.size = len(IMAGES)
            archive.addfile(info, io.BytesIO(IMAGES))
    files = {"images.gz": IMAGES, "labels.gz": LABELS, "batches.tar.gz": made.getvalue()}
    for name, content in files.items():
        (tmp_path / "www" / name).write_bytes(content)
    kept = {"batches.tar.gz": {"batches/one.bin": hashlib.sha256(IMAGES).hexdigest()}}
    published = Published(
        name="tiny",
        files=tuple(
            Remote(
                name=name,
                urls=(f"{server[0]}/{name}",),
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                contents=kept.get(name, {}),
            )
            for name, content in files.items()
        ),
        terms="MIT",
    )
    monkeypatch.setattr(module, "published_sets", lambda config_dir=None: {"mnist": None, "tiny": published})
    monkeypatch.setenv("DL_DATA", str(tmp_path / "data"))
    return published


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WHOLE = {"images.gz": IMAGES, "labels.gz": LABELS, "batches/one.bin": IMAGES}


def test_files_are_kept_as_they_are_and_archives_unpacked_below_dl_data(tiny, tmp_path):
    (done,) = fetch(["tiny"], talk=Talk(quiet=True))
    assert done == Fetched("tiny", "fetched", str(tmp_path / "data" / "tiny"), tiny.size)
    assert files_in(tmp_path / "data" / "tiny") == WHOLE


def test_what_is_there_and_right_is_not_fetched_again(tiny, server, tmp_path, capsys):
    fetch(["tiny"], talk=Talk(quiet=True))
    server[1].clear()
    (done,) = fetch(["tiny", "tiny"], talk=Talk())
    assert (done.state, done.size, server[1]) == ("present", 0, [])
    assert "tiny: already there and right" in capsys.readouterr().err


def test_only_what_is_lacking_or_wrong_is_fetched(tiny, server, tmp_path):
    fetch(["tiny"], talk=Talk(quiet=True))
    (tmp_path / "data" / "tiny" / "labels.gz").write_bytes(b"damage")
    server[1].clear()
    (done,) = fetch(["tiny"], talk=Talk(quiet=True))
    assert (done.size, server[1]) == (len(LABELS), ["/labels.gz"])
    assert files_in(tmp_path / "data" / "tiny") == WHOLE


def test_an_archive_that_was_copied_by_hand_is_unpacked_without_the_network(tiny, server, tmp_path):
    folder = tmp_path / "data" / "tiny"
    folder.mkdir(parents=True)
    for name in ("images.gz", "labels.gz", "batches.tar.gz"):
        (folder / name).write_bytes((tmp_path / "www" / name).read_bytes())
    fetch(["tiny"], talk=Talk(quiet=True))
    assert server[1] == []
    assert files_in(folder) == WHOLE


def test_another_folder_can_be_named(tiny, tmp_path):
    (done,) = fetch(["tiny"], to=str(tmp_path / "usb"), talk=Talk(quiet=True))
    assert done.folder == str(tmp_path / "usb" / "tiny")
    assert files_in(tmp_path / "usb" / "tiny") == WHOLE
    assert not (tmp_path / "data").exists()
    assert fetch(["tiny"], to=str(tmp_path / "usb"), talk=Talk(quiet=True))[0].state == "present"


def test_what_ships_or_is_the_users_own_is_said_to_need_nothing(tiny, capsys):
    assert fetch(["mnist"], talk=Talk()) == [Fetched("mnist", "nothing", None, 0)]
    assert "mnist: nothing to fetch" in capsys.readouterr().err


def test_an_unknown_name_is_refused_before_anything_is_fetched(tiny, server):
    with pytest.raises(UsageError, match="there is no data set 'tinny', nor a pretrained network; did you mean 'tiny'") as caught:
        fetch(["tiny", "tinny"], talk=Talk(quiet=True))
    assert caught.value.hint == "dl fetch tiny"
    assert server[1] == []


def test_what_cannot_be_had_says_why_its_size_and_three_ways(tiny, tmp_path):
    (tmp_path / "www" / "images.gz").unlink()
    with pytest.raises(StorageError) as caught:
        fetch(["tiny"], to=str(tmp_path / "usb"), talk=Talk(quiet=True))
    said = f"{caught.value.message}\n{caught.value.hint}"
    assert len(said.splitlines()) <= 8
    for part in ("images.gz (0.3 MB)", "127.0.0.1: the server says 404", f"dl fetch tiny --to {tmp_path / 'usb'};"):
        assert part in said
    for part in (f"copy the published files to {tmp_path / 'usb' / 'tiny'};", "data.root=FOLDER"):
        assert part in said


@pytest.mark.parametrize(("signal", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_a_signal_says_that_what_came_is_kept_and_how_to_go_on(tiny, monkeypatch, signal, code):
    def stopped(*arguments, **names):
        raise signal

    monkeypatch.setattr(module, "download", stopped)
    with pytest.raises(Interrupted, match="what came of tiny is kept in") as caught:
        fetch(["tiny"], talk=Talk(quiet=True))
    assert caught.value.code == code
    assert caught.value.hint == "dl fetch tiny goes on from there"


def test_the_listing_says_size_terms_and_whether_it_is_here(tiny, tmp_path):
    (item,) = listing()
    assert item == {
        "name": "tiny",
        "size": tiny.size,
        "terms": "MIT",
        "folder": str(tmp_path / "data" / "tiny"),
        "here": False,
    }
    fetch(["tiny"], talk=Talk(quiet=True))
    assert listing()[0]["here"]


def test_every_data_yaml_is_a_name_and_what_its_class_publishes_is_found():
    found = published_sets()
    assert set(entries("data")) <= set(found)
    assert found["cifar10"] is CIFAR10.published
    assert found["mnist"] is None
    assert found["digits"] is None


def test_published_names_are_the_names_of_data_yamls():
    names = {published.name for published in published_sets().values() if published is not None}
    assert names <= set(entries("data"))


def test_a_users_own_set_is_found_once_its_package_is_trusted(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.yaml").write_text("# My own data\n_target_: my_own_sets.Mine\n")
    (tmp_path / "my_own_sets.py").write_text(
        "from dlcli.contracts import DataSource\n"
        "from dlcli.data.fetchable import Published, Remote\n"
        "class Mine(DataSource):\n"
        "    file = Remote(name='a', urls=('http://localhost/a',), size=1, md5='ab' * 16)\n"
        "    published = Published(name='mine', files=(file,), terms='mine')\n"
        "    def load(self): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="package 'my_own_sets' is not trusted"):
        published_sets(config_dir=str(tmp_path))
    monkeypatch.setenv("DL_TRUST", "my_own_sets")
    assert published_sets(config_dir=str(tmp_path))["mine"].terms == "mine"
