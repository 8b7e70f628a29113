from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data import identical
from dlcli.data.identical import copies, holdout
from dlcli.data.layout import Files


def files_of(root: Path, contents: list[bytes | None]) -> Files:
    """Files 0, 1, 2 …; None is a file that is not there."""
    for number, content in enumerate(contents):
        if content is not None:
            (root / str(number)).write_bytes(content)
    sizes = [-1 if content is None else len(content) for content in contents]
    return Files(root, [str(number) for number in range(len(contents))], [0] * len(contents), sizes)


def test_copies_point_to_the_first_of_their_kind(tmp_path):
    files = files_of(tmp_path, [b"one", b"two", b"one", b"three", b"two", b"one"])
    assert copies(files).tolist() == [0, 1, 0, 3, 1, 0]


def test_files_that_differ_only_far_from_their_end_are_no_copies(tmp_path):
    long = bytes(20_000)
    assert copies(files_of(tmp_path, [b"a" + long, b"b" + long, b"a" + long])).tolist() == [0, 1, 0]


def test_only_files_of_equal_size_are_opened_and_only_those_with_equal_ends_read_whole(tmp_path, monkeypatch):
    read = []
    digest = identical._digest
    monkeypatch.setattr(
        identical, "_digest", lambda path, size, *, whole: read.append((path[-1], whole)) or digest(path, size, whole=whole)
    )
    copies(files_of(tmp_path, [b"alone", b"same", b"same", b"diff"]))
    assert read == [("1", False), ("2", False), ("3", False), ("1", True), ("2", True)]


def test_empty_and_unreadable_files_are_no_copies_of_each_other(tmp_path):
    files = files_of(tmp_path, [b"", b"", None, None, b"x"])
    (tmp_path / "4").unlink()
    assert copies(files).tolist() == [0, 1, 2, 3, 4]


def test_too_many_candidates_are_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(identical, "MOST_FILES", 2)
    assert copies(files_of(tmp_path, [b"a", b"b", b"c"])) is None
    assert copies(files_of(tmp_path, [b"a", b"b", b"cc"])) is not None


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_groups_are_never_parted_and_the_size_counts_groups(data):
    groups = torch.tensor(
        data.draw(st.lists(st.integers(0, 12), min_size=2, max_size=40).filter(lambda each: len(set(each)) > 1))
    )
    targets = groups % 3
    count = len(groups.unique())
    size = data.draw(st.integers(1, count - 1))
    cut = holdout(targets, groups, size, seed=1)
    assert sorted(cut.rest.tolist() + cut.held.tolist()) == list(range(len(groups)))
    assert not set(groups[cut.rest].tolist()) & set(groups[cut.held].tolist())
    assert len(groups[cut.held].unique()) == size


def test_each_class_is_held_back_in_its_share():
    targets = torch.arange(300) % 3
    held = holdout(targets, torch.arange(300), 45, seed=0).held
    assert targets[held].bincount().tolist() == [15, 15, 15]


def test_another_seed_holds_others_back_and_the_same_seed_the_same():
    targets, groups = torch.zeros(50, dtype=torch.int64), torch.arange(50)
    first = holdout(targets, groups, 10, seed=0).held
    assert torch.equal(first, holdout(targets, groups, 10, seed=0).held)
    assert not torch.equal(first, holdout(targets, groups, 10, seed=1).held)


def test_holding_every_group_back_is_refused():
    with pytest.raises(ValueError, match="1 … 1, got 2"):
        holdout(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 2]), 2, seed=0)
