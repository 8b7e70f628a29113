import json
import shutil

import pytest

from dlcli.runs.family import family_of, parent_of
from dlcli.runs.find import read_run
from dlcli.runs.run import Run


@pytest.fixture
def make(tmp_path):
    """Makes a finished run: ``make("evaluate", "mnist", parent=…) → RunInfo``."""

    def made(verb, name, *, parent=None, done=True):
        run = Run.create(verb=verb, name=name, config=b"seed: 0\n", information={"parent": parent})
        if done:
            run.finish(seconds=1.0, metrics={}, files={})
        else:
            run.fail(RuntimeError("no"))
        return read_run(run.path)

    return made


def ids(runs):
    return [run.id for run in runs]


def test_parents_measures_and_descendants_are_found_the_newest_first(make):
    grandparent = make("train", "a")
    parent = make("finetune", "b", parent=grandparent.id)
    model = make("finetune", "c", parent=parent.id)
    older, newer = (make("evaluate", "c", parent=model.id) for _ in range(2))
    attack = make("attack", "fgsm", parent=model.id)
    make("attack", "fgsm", parent=parent.id)
    child = make("finetune", "d", parent=model.id)
    family = family_of(model)
    assert ids(family.parents) == [parent.id, grandparent.id]
    assert ids(family.measured) == sorted([older.id, newer.id, attack.id], reverse=True)
    assert ids(family.descendants) == [child.id]
    assert family.missing_parent is None
    assert family.unusable == ()


def test_a_parent_that_is_no_run_here_is_named(make):
    assert family_of(make("finetune", "a", parent="builtin:mnist")).missing_parent == "builtin:mnist"


def test_failed_and_broken_children_are_named_and_not_measures(make):
    model = make("train", "a")
    failed = make("evaluate", "a", parent=model.id, done=False)
    broken = make("evaluate", "a", parent=model.id)
    (broken.path / "result.json").write_text("{")
    family = family_of(model)
    assert {run.id: run.state for run in family.unusable} == {failed.id: "failed", broken.id: "broken"}
    assert family.measured == ()
    assert parent_of(read_run(broken.path)) == model.id


def test_a_circle_of_parents_ends(make):
    one, other = make("train", "a"), make("train", "b")
    for run, parent in ((one, other), (other, one)):
        path = run.path / "run.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "parent": parent.id}))
    family = family_of(read_run(one.path))
    assert ids(family.parents) == [other.id]
    assert family.missing_parent == one.id


def test_a_run_that_was_copied_elsewhere_is_looked_up_in_the_current_runs(make, tmp_path):
    model = make("train", "a")
    child = make("evaluate", "a", parent=model.id)
    copy = tmp_path / "downloads" / "x" / model.id
    shutil.copytree(model.path, copy)
    assert ids(family_of(read_run(copy)).measured) == [child.id]
