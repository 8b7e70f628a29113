import json
import shutil

import pytest

from dlcli.commands import fetch as task
from dlcli.data.mnist import SHIPPED
from dlcli.data.places import user_cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_list_has_a_line_for_each_set_with_size_state_and_terms(dl):
    answer = dl("fetch", "--list")
    assert answer.code == 0
    lines = {line.split()[0]: line for line in answer.out.splitlines()}
    assert {"fashion_mnist", "kmnist", "emnist", "cifar10", "cifar100", "svhn"} <= set(lines)
    assert lines["cifar10"].split() == ["cifar10", "170.1", "MB", "--", "terms:", "none", "stated"]


def test_the_list_as_json_says_the_same_in_bytes(dl, tmp_path):
    content = json.loads(dl("fetch", "--list", "--json").out)
    assert (content["schema"], content["verb"]) == (1, "fetch")
    item = next(item for item in content["items"] if item["name"] == "kmnist")
    assert item["size"] == 18_165_135 + 29_497 + 3_041_136 + 5_120
    assert item["folder"] == str(user_cache() / "data" / "kmnist")
    assert item["here"] is False


def test_what_was_done_is_said_on_stderr_and_as_json_on_stdout(dl):
    answer = dl("fetch", "mnist", "digits", "--json")
    assert answer.code == 0
    items = json.loads(answer.out)["items"]
    assert [(item["name"], item["state"]) for item in items] == [("mnist", "nothing"), ("digits", "nothing")]
    assert answer.errors == [f"{name}: nothing to fetch; it comes with dlcli, or is your own" for name in ("mnist", "digits")]


def test_quiet_says_nothing_where_all_is_well(dl):
    assert dl("fetch", "mnist", "--quiet").err == ""


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("fetch", 2, ["name what to fetch", "dl fetch --list"]),
        ("fetch cifar10 --list", 2, ["leave out the names"]),
        ("fetch cifar11", 2, ["there is no data set 'cifar11'", "did you mean 'cifar10'", "dl fetch cifar10"]),
        ("fetch --config-dir /no/where --list", 2, ["no such folder"]),
        ("fetch kmnist --too x", 2, ["no option '--too'", "'--to'"]),
    ],
)
def test_a_mistake_is_said_in_few_lines(dl, typed, code, words):
    answer = dl(*typed.split())
    assert answer.code == code
    assert len(answer.errors) <= 3
    assert [word for word in words if word not in answer.err] == []


def test_no_network_ends_in_74_with_what_is_missing_and_three_ways(dl, monkeypatch, tmp_path):
    def unreachable(*arguments, **names):
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    answer = dl("fetch", "kmnist", "--json")
    assert answer.code == 74
    assert len(answer.errors) <= 8
    error = json.loads(answer.out)["error"]
    assert "cannot get train-images-idx3-ubyte.gz (18.2 MB)" in error["message"]
    assert "codh.rois.ac.jp: Name or service not known" in error["message"]
    for way in ("dl fetch kmnist", f"copy the published files to {tmp_path / 'cache'}", "data.root=FOLDER"):
        assert way in error["hint"]
    assert not (user_cache() / "data" / "kmnist").exists()


def test_training_on_what_is_not_here_ends_in_74_with_the_same_three_ways(dl, tmp_path):
    answer = dl("train", "mnist", "data=kmnist", "--fast-dev-run")
    assert answer.code == 74
    for words in ("kmnist is not here", "21.2 MB to download", "dl fetch kmnist", "copy the published files", "data.root=FOLDER"):
        assert words in answer.err
    assert len(answer.errors) <= 8


def test_training_uses_what_lies_in_dl_data(dl, tmp_path, monkeypatch):
    # KMNIST is published in files of the same names and sizes as MNIST.
    monkeypatch.setenv("DL_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "kmnist"
    folder.mkdir(parents=True)
    for path in SHIPPED.glob("*.gz"):
        shutil.copy(path, folder)
    assert next(item for item in task.listing() if item["name"] == "kmnist")["here"]
    answer = dl("train", "mnist", "data=kmnist", "--fast-dev-run", "--quiet")
    assert answer.code == 0, answer.err
