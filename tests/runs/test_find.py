"""Model references: what ``latest``, a name, an id, a path and a child stand for, in a folder of small made-up runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from dlcli.errors import DataError, UsageError
from dlcli.runs.find import BUILTIN, default_model, find_model, find_unfinished, list_runs, read_run
from dlcli.runs.run import Run

RESULT = {"schema": 1, "seconds": 1.0, "metrics": {}, "files": {}}


def make(
    run_id: str, *, verb: str = "train", name: str = "mnist", state: str = "finished", root: str = "", **information: Any
) -> Path:
    """A run folder as dlcli writes it, with an id that is easy to read."""
    path = Path(root or os.environ["DL_RUNS"]) / verb / name / run_id
    (path / "checkpoints" / "step-00000001").mkdir(parents=True)
    (path / "config.yaml").write_text("seed: 0\n")
    failure = {"failed": {"code": 70, "message": "loss is nan"}, "interrupted": {"code": 143, "message": "stopped"}}.get(state)
    content = {"schema": 1, "id": run_id, "verb": verb, "name": name, "parent": None, "failure": failure, **information}
    (path / "run.json").write_text(json.dumps(content))
    if state == "finished":
        result = {**RESULT, "verb": verb, "id": run_id, "parent": content["parent"]}
        (path / "result.json").write_text(json.dumps(result))
    return path


def found(reference: str) -> str | None:
    run = find_model(reference)
    assert not isinstance(run, str)
    return None if run is None else run.id


def test_latest_is_the_newest_finished_run_with_a_model() -> None:
    make("1")
    make("2", verb="finetune", name="digits")
    make("3", fast_dev_run=True)
    make("4", sweep="20260101")
    make("5", state="failed")
    make("6", state="interrupted")
    make("7", verb="evaluate", parent="1")
    assert found("latest") == "2"
    assert default_model()[0] is not None


def test_without_any_model_the_shipped_one_stands_in_but_latest_is_an_error() -> None:
    make("1", state="failed")
    assert default_model() == (None, True)
    with pytest.raises(UsageError, match="no finished run with a model"):
        find_model("latest")


def test_a_name_is_the_newest_run_of_that_name_that_holds_a_model() -> None:
    make("1", name="mine")
    make("2", name="mine")
    make("3", name="mine", state="failed")
    make("4", name="mine", fast_dev_run=True)
    make("5", name="mine", verb="evaluate", parent="1")
    assert found("mine") == "2"


def test_an_unfinished_run_can_be_named_where_no_other_has_its_name() -> None:
    make("1", name="mine", state="interrupted")
    assert found("mine") == "1"


def test_a_unique_start_of_an_id_is_enough_and_an_ambiguous_one_says_which_fit() -> None:
    make("20260101-aaaaaa")
    make("20260102-bbbbbb")
    assert found("20260102") == "20260102-bbbbbb"
    with pytest.raises(UsageError, match="'2026' fits 2 runs: 20260102-bbbbbb, 20260101-aaaaaa"):
        find_model("2026")


def test_a_path_is_taken_from_anywhere_and_the_folder_may_have_been_renamed(tmp_path: Path) -> None:
    path = make("1", root=str(tmp_path / "elsewhere"))
    copied = path.rename(tmp_path / "from_a_friend")
    run = find_model(str(copied))
    assert run is not None
    assert (run.path, run.verb, run.name) == (copied, "train", "mnist")


def test_a_child_stands_for_its_parent_also_through_several_generations() -> None:
    make("1", name="mine")
    make("2", verb="evaluate", parent="1")
    make("3", verb="explain", name="gradcam", parent="2")
    assert (found("2"), found("3"), found("gradcam")) == ("1", "1", "1")


def test_a_child_of_the_shipped_model_stands_for_it() -> None:
    make("1", verb="attack", name="fgsm", parent=BUILTIN)
    assert found("1") is None
    assert found(BUILTIN) is None


def test_a_child_without_its_parent_says_so() -> None:
    make("1", verb="attack", name="fgsm", parent="0")
    with pytest.raises(UsageError, match="has parent '0', which is not there any more"):
        find_model("1")


@pytest.mark.parametrize("parents", [("1", "1"), ("2", "1")])
def test_parents_in_a_circle_end_in_a_message(parents: tuple[str, str]) -> None:
    make("1", verb="attack", name="a", parent=parents[0])
    make("2", verb="attack", name="b", parent=parents[1])
    with pytest.raises(UsageError, match="not there any more"):
        find_model("2")


def test_a_run_without_a_checkpoint_is_no_model() -> None:
    path = make("1", state="failed")
    (path / "checkpoints" / "step-00000001").rmdir()
    with pytest.raises(UsageError, match="failed and holds no checkpoint yet"):
        find_model("1")


@pytest.mark.parametrize(
    ("reference", "message"), [("mnits", "did you mean 'mnist'"), ("no/such", "no run folder at"), ("x" * 5000, "no run")]
)
def test_what_is_not_there_is_a_usage_error_that_helps(reference: str, message: str) -> None:
    make("1")
    with pytest.raises(UsageError, match=message) as caught:
        find_model(reference)
    assert caught.value.hint is not None


@pytest.mark.parametrize("reference", ["builtin:mnits", "builtin:"])
def test_an_unknown_shipped_model_is_a_usage_error(reference: str) -> None:
    with pytest.raises(UsageError, match="there is no model"):
        find_model(reference)


def test_a_broken_run_is_listed_as_broken_with_its_reason_and_refused_as_a_model(tmp_path: Path) -> None:
    for number, (file, text) in enumerate(
        [
            ("run.json", "{"),
            ("run.json", "[]"),
            ("run.json", '{"schema": 2}'),
            ("result.json", "{"),
            ("result.json", '{"schema": 99}'),
            ("result.json", '{"schema": 1, "verb": "train"}'),
        ]
    ):
        path = make(str(number))
        (path / file).write_text(text)
        run = read_run(path)
        assert (run.state, run.verb, run.name) == ("broken", "train", "mnist")
        assert run.problem is not None
        assert file in run.problem
        with pytest.raises(DataError, match="is not a readable run"):
            find_model(str(number))
    assert {run.state for run in list_runs()} == {"broken"}
    assert default_model() == (None, True)


@pytest.mark.parametrize("file", ["run.json", "config.yaml"])
def test_a_run_with_a_file_missing_is_broken(file: str) -> None:
    path = make("1")
    (path / file).unlink()
    assert read_run(path).state == "broken"


def test_a_newer_schema_says_what_to_do() -> None:
    path = make("1")
    (path / "run.json").write_text('{"schema": 2}')
    assert "schema 2, this dlcli reads schema 1" in str(read_run(path).problem)


@pytest.mark.parametrize("failure", ["x", 3, [], {"code": [1]}, {"message": None}])
def test_an_odd_failure_breaks_no_listing(failure: Any) -> None:
    path = make("1", state="running")
    (path / "run.json").write_text(json.dumps({"schema": 1, "failure": failure}))
    assert read_run(path).state in {"failed", "interrupted"}


def test_a_pipe_instead_of_a_record_does_not_hang_a_listing() -> None:
    path = make("1")
    (path / "run.json").unlink()
    os.mkfifo(path / "run.json")
    assert read_run(path).state == "broken"


def test_a_linked_run_a_temporary_one_and_a_sweeps_folder_are_no_runs(tmp_path: Path) -> None:
    real = make("1", root=str(tmp_path / "elsewhere"))
    make("2")
    linked = tmp_path / "runs" / "train" / "mnist" / "3"
    linked.symlink_to(real)
    make(".tmp-4")
    make("5", verb="sweeps")
    assert [run.id for run in list_runs()] == ["2"]


def test_runs_are_listed_newest_first_and_by_verb() -> None:
    for run_id, verb in (("2", "train"), ("1", "finetune"), ("3", "attack")):
        make(run_id, verb=verb)
    assert [run.id for run in list_runs()] == ["3", "2", "1"]
    assert [run.id for run in list_runs(verbs=("train", "finetune"))] == ["2", "1"]


@pytest.mark.parametrize("reference", [None, "latest"])
def test_the_newest_unfinished_run_of_its_verb_goes_on(reference: str | None) -> None:
    make("1", state="interrupted")
    make("2", state="failed")
    make("3", state="finished")
    make("4", verb="finetune", state="interrupted")
    assert find_unfinished("train", reference).id == "2"


def test_a_name_to_resume_means_the_unfinished_run_of_that_name() -> None:
    make("1", name="mine", state="interrupted")
    make("2", name="mine")
    make("3", name="mine", verb="evaluate")
    assert find_unfinished("train", "mine").id == "1"
    assert find_unfinished("train", "2").id == "2"


def test_a_run_that_is_being_written_is_not_the_newest_unfinished_one() -> None:
    make("1", state="interrupted")
    held = Run.create(verb="train", name="held", config=b"", information={"parent": None})
    assert find_unfinished("train", None).id == "1"
    held.fail(KeyboardInterrupt())


def test_nothing_to_resume_says_so() -> None:
    make("1")
    with pytest.raises(UsageError, match="no unfinished train run"):
        find_unfinished("train", None)


def test_a_pretrained_network_stands_for_itself_and_for_its_children() -> None:
    make("1", verb="evaluate", parent="pretrained:resnet18")
    assert find_model("pretrained:resnet18") == find_model("1") == "pretrained:resnet18"
