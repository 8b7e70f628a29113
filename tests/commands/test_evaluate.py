"""``dl evaluate`` as a whole: its figures and its files."""

from __future__ import annotations

from dlcli.runs.find import list_runs


def test_everything_lies_in_the_runs_folder(dl) -> None:
    answer = dl("evaluate", "--run", "builtin:mnist", "--limit", "60", "--quiet")
    assert answer.code == 0
    result = next(list_runs()).result
    assert result is not None
    assert set(result.files) == {"confusion", "reliability", "mistakes", "predictions"}
    assert all((result.path / name).is_file() for name in result.files.values())
    with (result.path / "predictions.csv").open() as file:
        assert len(file.readlines()) == 61


def test_tables_are_not_attacked(dl) -> None:
    assert dl("train", "breast_cancer", "--epochs", "1", "--quiet").code == 0
    answer = dl("evaluate", "--attack", "fgsm", "--quiet")
    assert answer.code == 2
    assert "--attack changes images" in answer.err
