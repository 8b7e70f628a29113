"""``dl attack --resume``: an attack that was stopped ends with the same figures and files as one that was not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcli.commands import attack_parts
from dlcli.commands.attack_parts import FOLDER, Parts
from dlcli.errors import Interrupted

SMALL = ("--limit", "24", "--batch-size", "8")


@pytest.fixture
def stopped(dl, monkeypatch):
    """Stops the attack that is typed behind so many batches."""

    def stop(*typed: str, behind: int):
        own, count = Parts.add, [0]

        def add(self, report):
            own(self, report)
            count[0] += 1
            if count[0] == behind:
                raise Interrupted("stopped by SIGINT", signal_number=2)

        with monkeypatch.context() as patch:
            patch.setattr(Parts, "add", add)
            return dl("attack", *typed, *SMALL)

    monkeypatch.setattr(attack_parts, "EVERY", 0.0)
    return stop


def folders(tmp_path: Path) -> list[Path]:
    return sorted(path.parent for path in (tmp_path / "runs" / "attack").glob("*/*/run.json"))


@pytest.mark.parametrize(
    "typed",
    [
        ("pgd", "attack.epsilon=0.1"),
        ("pgd", "attack.epsilon=0.1", "--targeted", "random"),
        ("mi_fgsm", "--source", "builtin:mnist"),
        ("ddn",),
        ("pgd", "--run", "cells"),
    ],
)
def test_a_stopped_attack_goes_on_behind_what_it_had_finished(dl, tmp_path, stopped, typed) -> None:
    if "cells" in typed:
        assert dl("train", "breast_cancer", "trainer.epochs=1", "--name", "cells", "--quiet").code == 0
    answer = stopped(*typed, behind=2)
    assert answer.code == 130
    (first,) = folders(tmp_path)
    assert f"dl attack --resume {first.name}" in answer.err
    assert len(list((first / FOLDER).iterdir())) == 2
    again = dl("attack", "--resume")
    assert again.code == 0, again.err
    assert "16 of 24 examples were attacked before" in again.err
    assert not (first / FOLDER).exists()
    assert dl("attack", *typed, *SMALL).code == 0
    second = next(folder for folder in folders(tmp_path) if folder != first)
    results = [json.loads((folder / "result.json").read_text()) for folder in (first, second)]
    assert results[0]["metrics"] == results[1]["metrics"]
    for name in results[0]["files"].values():
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_finished_attack_has_nothing_to_do_and_gives_its_result_again(dl, tmp_path) -> None:
    assert dl("attack", "fgsm", *SMALL).code == 0
    (folder,) = folders(tmp_path)
    answer = dl("attack", "--resume", folder.name, "--json")
    assert answer.code == 0
    assert "nothing to do" in answer.err
    assert answer.out.encode() == (folder / "result.json").read_bytes()


def test_another_verbs_run_is_refused(dl) -> None:
    assert dl("evaluate", "--run", "builtin:mnist", "--limit", "8", "--name", "seen").code == 0
    answer = dl("attack", "--resume", "seen")
    assert answer.code == 2
    assert "is a run of dl evaluate" in answer.err
    assert "only train, finetune and attack go on" in answer.err


def test_another_verb_that_goes_on_names_the_command(dl, tmp_path) -> None:
    assert dl("attack", "fgsm", *SMALL).code == 0
    (folder,) = folders(tmp_path)
    answer = dl("train", "--resume", folder.name)
    assert answer.code == 2
    assert f"dl attack --resume {folder.name}" in answer.err
