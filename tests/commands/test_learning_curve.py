"""``dl finetune --compare`` from the command line: what it writes, says, refuses, and how it goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dlcli.commands import comparison

START = ("finetune", "--run", "builtin:mnist", "--data", "digits")
COMPARED = (*START, "--compare", "2,3", "compare_seeds=2", "trainer.epochs=1", "limit_test=60")


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MIN_STEPS", 5)


@pytest.fixture(scope="module")
def _finished(tmp_path_factory: pytest.TempPathFactory, dl) -> tuple[Path, Any]:
    root = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(root))
        patch.setattr(comparison, "MIN_STEPS", 5)
        answer = dl(*COMPARED)
    assert answer.code == 0, answer.err
    return root, answer


@pytest.fixture
def finished(_finished: tuple[Path, Any], tmp_path: Path) -> tuple[Path, str]:
    """The folder of a finished comparison, in the current runs folder, and what was said."""
    shutil.copytree(_finished[0], tmp_path / "runs")
    return run_in(tmp_path / "runs"), _finished[1].err


def run_in(root: Path) -> Path:
    (path,) = root.glob("finetune/digits/*/run.json")
    return path.parent


def fits_of(run: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name != "time"} for line in lines]


def test_every_fit_is_written_down_and_the_result_is_made_of_them(finished: tuple[Path, str]) -> None:
    run, _ = finished
    lines = fits_of(run)
    assert len(lines) == 12
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    own = [line["value"] for line in lines if (line["step"], line["name"]) == (3, "finetuned/accuracy")]
    assert metrics["compare/finetuned/3/accuracy"]["value"] == pytest.approx(sum(own) / 2)
    assert metrics["compare/gain/2/accuracy"]["method"] == "t"
    assert len(metrics) == 2 * 5


def test_the_estimate_comes_first_and_the_verdict_last(finished: tuple[Path, str]) -> None:
    said = [line for line in finished[1].splitlines() if line.strip()]
    estimated = next(number for number, line in enumerate(said) if line.startswith("estimate: about"))
    assert estimated < next(number for number, line in enumerate(said) if line.startswith("features of"))
    assert said[-1].startswith("finetuned ")
    assert "2 seeds, 60 test examples" in said[-1]
    assert sum(line.startswith(("2 labels per class, seed", "3 labels per class, seed")) for line in said) == 4


def test_a_picture_is_drawn_and_run_json_says_what_was_compared(finished: tuple[Path, str]) -> None:
    run, _ = finished
    assert (run / "plots" / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    information = json.loads((run / "run.json").read_text())
    assert information["comparison"]["counts"] == [2, 3]
    assert information["comparison"]["seeds"] == [0, 1]
    assert information["parent"] == "builtin:mnist"
    assert information["origin"]["replaced"] == "net.head"


def test_it_is_no_model(finished: tuple[Path, str], dl) -> None:
    answer = dl("evaluate", "--quiet", "limit=20")
    assert answer.code == 0, answer.err
    named = dl("evaluate", "--run", finished[0].name)
    assert named.code == 2
    assert "is finished and keeps no model" in named.err
    assert dl("runs").code == dl("runs", "show", finished[0].name).code == 0


@pytest.mark.parametrize("done", [0, 4, 12])
def test_a_killed_comparison_does_the_missing_fits_alone_and_ends_as_it_would_have(finished: tuple[Path, str], dl, done) -> None:
    run, _ = finished
    whole, before = fits_of(run), json.loads((run / "result.json").read_text())["metrics"]
    (run / "result.json").unlink()
    kept = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)[:done]
    (run / "metrics.jsonl").write_bytes(b"".join(kept) + b'{"step": 2, "epo')
    answer = dl("finetune", "--resume")
    assert answer.code == 0, answer.err
    assert f"resuming {run.name}: {done} of 12 fits are done" in answer.err
    assert (run / "metrics.jsonl").read_bytes().startswith(b"".join(kept))
    assert fits_of(run) == whole
    assert json.loads((run / "result.json").read_text())["metrics"] == before


def test_a_time_limit_stops_it_and_resuming_goes_on(dl, tmp_path: Path) -> None:
    answer = dl(*COMPARED, "trainer.max_time=0.0001")
    assert answer.code == 1
    assert "1 of 12 fits are done" in answer.err
    run = run_in(tmp_path / "runs")
    assert f"dl finetune --resume {run.name} trainer.max_time=null" in answer.err
    again = dl("finetune", "--resume", run.name, "trainer.max_time=null")
    assert again.code == 0, again.err
    assert len(fits_of(run)) == 12


def test_other_data_than_before_are_refused(finished: tuple[Path, str], dl) -> None:
    run, _ = finished
    (run / "result.json").unlink()
    information = json.loads((run / "run.json").read_text())
    information["comparison"]["digest"] = "0" * 64
    (run / "run.json").write_text(json.dumps(information))
    answer = dl("finetune", "--resume", run.name)
    assert answer.code == 65
    assert "has changed since" in answer.err


def test_a_dry_run_estimates_and_writes_nothing(dl, tmp_path: Path) -> None:
    answer = dl(*COMPARED, "--dry-run")
    assert answer.code == 0, answer.err
    assert "2, 3 labels per class x 2 seeds x 3 arms = 12 fits; estimate: about" in answer.err
    assert answer.err.rstrip().endswith("nothing was written")
    assert not (tmp_path / "runs").exists()


def test_to_see_that_it_runs_takes_two_seeds_of_the_fewest_labels(dl, tmp_path: Path) -> None:
    answer = dl(*START, "--compare", "2,100", "--fast-dev-run", "--json", "--quiet")
    assert answer.code == 0, answer.err
    assert {line["step"] for line in fits_of(run_in(tmp_path / "runs"))} == {2}
    assert json.loads(answer.out)["metrics"]["compare/finetuned/2/accuracy"]["n"] == 2


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (("--labels", "100"), "labels=100 has no place beside it"),
        (("--limit-train", "100"), "limit_train=100 has no place beside it"),
        (("--overfit", "10"), "overfit=10 has no place beside it"),
        (("--lr-find",), "lr_find=true has no place beside it"),
        (("--strategy", "linear-probe"), "trains a linear probe anyway"),
        (("compare_seeds=1",), "compare_seeds=1: expected 2 or more"),
        (("--compare", "few"), "compare=few: expected labels per class, such as 10,30,100"),
    ],
)
def test_what_contradicts_it_is_refused_in_one_message(dl, tmp_path: Path, extra, said) -> None:
    answer = dl(*START, *([] if "--compare" in extra else ["--compare", "2"]), *extra)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.errors) <= 2
    assert not (tmp_path / "runs").exists()


def test_a_table_is_compared_like_images(dl, tmp_path: Path) -> None:
    for name, shift in (("old", 0), ("new", 5)):
        rows = [
            f"{20 + (7 * row + shift) % 41},{'Ulm' if row % 3 else 'Bonn'},{'Yes' if row % 5 > 2 else 'No'}" for row in range(200)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["age,city,left", *rows]) + "\n")
    known = ("--target", "left", "--quiet")
    assert dl("train", "--data", str(tmp_path / "old.csv"), *known, "trainer.epochs=1", "--name", "old").code == 0
    answer = dl(
        "finetune", "--run", "old", "--data", str(tmp_path / "new.csv"), *known, "--compare", "5", "compare_seeds=2", "--json"
    )
    assert answer.code == 0, answer.err
    assert 0 <= json.loads(answer.out)["metrics"]["compare/finetuned/5/accuracy"]["value"] <= 1
