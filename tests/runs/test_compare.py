"""How two runs were made differently, and whom they come from."""

import json
import os
from pathlib import Path

from dlcli.runs.compare import ancestors, changed, children, circumstances, data_digest
from dlcli.runs.find import read_run


def make(run_id, *, verb="train", name="mnist", digest=None, **information):
    path = Path(os.environ["DL_RUNS"]) / verb / name / run_id
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("seed: 0\n")
    (path / "run.json").write_text(json.dumps({"schema": 1, "id": run_id, "verb": verb, "name": name, **information}))
    if digest is not None:
        (path / "checkpoints" / "step-00000001").mkdir(parents=True)
        (path / "checkpoints" / "step-00000001" / "state.json").write_text(json.dumps({"schema": 1, "data_digest": digest}))
    return read_run(path)


def test_runs_made_in_the_same_way_differ_in_nothing():
    own = {"versions": {"torch": "2.11"}, "git": "abc", "device": "cpu", "threads": 2, "environment": {}}
    assert circumstances(make("1", **own), make("2", **own)) == []


def test_what_differs_is_named_by_its_part():
    first = make("1", digest="d1", versions={"dlcli": "1", "torch": "2.11", "numpy": "2"}, git="abc", device="cpu", threads=2)
    second = make(
        "2", digest="d2", versions={"dlcli": "2", "torch": "2.15", "numpy": "2"}, git="def", device="cuda", threads=4, parent="0"
    )
    found = [(change.part, change.key, change.first, change.second) for change in circumstances(first, second)]
    assert found == [
        ("model", "parent", None, "0"),
        ("data", "digest", "d1", "d2"),
        ("code", "dlcli", "1", "2"),
        ("code", "git commit", "abc", "def"),
        ("library", "torch", "2.11", "2.15"),
        ("machine", "device", "cpu", "cuda"),
        ("machine", "threads", 2, 4),
    ]


def test_an_environment_variable_that_only_one_had_differs():
    (change,) = circumstances(make("1", environment={"OMP_NUM_THREADS": "1"}), make("2", environment={}))
    assert (change.part, change.key, change.first, change.second) == ("environment", "OMP_NUM_THREADS", "1", None)


def test_a_garbled_record_differs_but_never_raises():
    assert circumstances(make("1", versions=[1], environment="x"), make("2")) == []


def test_true_and_one_are_different_settings():
    assert [change.key for change in changed("config", {"a": True, "b": 1}, {"a": 1, "b": 1})] == ["a"]


def test_a_child_has_the_data_of_its_parent():
    make("1", digest="d1")
    child = make("2", verb="evaluate", parent="1")
    assert data_digest(child) == "d1"
    assert data_digest(make("3", verb="evaluate", parent="gone")) is None


def test_lineage_goes_up_to_the_first_and_down_to_the_children():
    first, second = make("1"), make("2", verb="finetune", parent="1")
    third = make("3", verb="attack", parent="2")
    assert [run.id for run in ancestors(third)] == ["2", "1"]
    assert [run.id for run in children(first)] == ["2"]
    assert [run.id for run in children(second)] == ["3"]


def test_runs_that_name_each_other_as_parents_end():
    first, _ = make("1", parent="2", verb="evaluate"), make("2", parent="1", verb="evaluate")
    assert [run.id for run in ancestors(first)] == ["2"]
    assert data_digest(first) is None
