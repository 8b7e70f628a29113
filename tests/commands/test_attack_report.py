"""``dl attack report``: one command, one verdict; it goes on after a kill, answers within a time, and compares two models."""

from __future__ import annotations

import json

import pytest

from dlcli.commands import attack_report
from dlcli.commands.attack_chain import attempted
from dlcli.errors import Interrupted

QUICK = ("study.steps=5", "study.targets=2", "study.queries=30", "study.rungs=4")
SMALL = ("attack", "report", "--run", "builtin:mnist", "--limit", "30", *QUICK)


def results(tmp_path):
    return [json.loads(path.read_text()) for path in sorted((tmp_path / "runs" / "attack" / "report").glob("*/result.json"))]


def test_a_report_leaves_figures_files_and_a_page(dl, tmp_path):
    answer = dl(*SMALL, "study.epsilon=0.05")
    assert answer.code == 0, answer.err
    (result,) = results(tmp_path)
    metrics = {name: entry["value"] for name, entry in result["metrics"].items()}
    worst = metrics["attack/robust_accuracy"]
    assert worst <= min(metrics[f"attack/robust_accuracy/{name}"] for name in ("fgsm", "pgd", "apgd_ce"))
    assert result["metrics"]["attack/robust_accuracy"]["n"] == 30
    assert metrics["attack/curve/0.05/robust_accuracy"] == worst
    folder = next((tmp_path / "runs").glob("attack/report/*/result.json")).parent
    assert all((folder / file).is_file() for file in result["files"].values())
    page = (folder / result["files"]["report"]).read_text()
    assert "APGD-CE" in page
    assert page.count("data:image/") >= 4
    assert "estimated cost" in answer.err
    assert "that still stood" in answer.err


def test_an_interrupted_report_goes_on_behind_its_finished_attacks(dl, tmp_path, monkeypatch):
    tried = []

    def stopping(subject, link, rows, clean, **options):
        tried.append(link.name)
        if link.name == "apgd_t" and len(tried) < 8:
            raise Interrupted("stopped by SIGINT", signal_number=2)
        return attempted(subject, link, rows, clean, **options)

    monkeypatch.setattr(attack_report, "attempted", stopping)
    stopped = dl(*SMALL, "study.epsilon=0.05")
    assert stopped.code == 130
    assert "dl attack --resume" in stopped.err
    assert tried == ["noise", "fgsm", "pgd", "apgd_ce", "apgd_t"]
    tried.clear()
    tried += ["before"] * 8
    again = dl("attack", "--resume")
    assert again.code == 0, again.err
    assert tried[8:12] == ["apgd_t", "fab_t", "square", "curve"]
    assert {name.partition("_")[0] for name in tried[12:]} == {"masking"}
    assert "as it was found before" in again.err
    monkeypatch.undo()
    monkeypatch.setenv("DL_RUNS", str(tmp_path / "runs"))
    assert dl(*SMALL, "study.epsilon=0.05", "--quiet").code == 0
    one, other = ({k: v for k, v in result["metrics"].items() if "seconds" not in k} for result in results(tmp_path))
    assert one == other


@pytest.mark.full
def test_a_finished_attack_of_other_settings_is_run_again(dl, tmp_path):
    assert dl(*SMALL, "study.epsilon=0.05", "--quiet").code == 0
    folder = next((tmp_path / "runs").glob("attack/report/*/result.json")).parent
    (folder / "result.json").unlink()
    kept = json.loads((folder / "attacks" / "fgsm.json").read_text())
    (folder / "attacks" / "fgsm.json").write_text(json.dumps({**kept, "digest": "of something else"}))
    answer = dl("attack", "--resume", folder.name)
    assert answer.code == 0, answer.err
    lines = [line for line in answer.err.splitlines() if " fools " in line]
    assert [line.split()[0] for line in lines if "before" not in line] == ["FGSM"]


def test_a_budget_examines_random_examples_fully_and_says_so(dl, tmp_path):
    answer = dl(*SMALL, "study.epsilon=0.05", "--budget", "60s")
    assert answer.code == 0, answer.err
    (result,) = results(tmp_path)
    assert "done before the time is over" in answer.err
    assert "Within the budget of 60s, all 30 examples were examined fully" in answer.err
    assert "upper bound" in answer.err
    assert result["metrics"]["attack/robust_accuracy"]["n"] == 30
    assert "attack/curve/0.05/robust_accuracy" not in result["metrics"]


def test_a_budget_for_nothing_is_one_clear_line(dl):
    answer = dl(*SMALL, "--budget", "0.000001s")
    assert answer.code == 70
    assert "not even 16 examples" in answer.err


def test_two_models_are_compared_on_the_same_examples(dl, tmp_path, runs):
    own = ("attack", "report", "--run", "digits", "--against", "flat", "--limit", "40", *QUICK, "study.epsilon=0.05")
    answer = dl(*own)
    assert answer.code == 0, answer.err
    (result,) = results(tmp_path)
    gap = result["metrics"]["attack/paired/robust_accuracy_difference"]
    assert gap["method"] == "newcombe_paired"
    assert gap["n"] == 40
    assert 0 < result["metrics"]["attack/paired/p_value"]["value"] <= 1
    assert "exact McNemar" in answer.err


@pytest.mark.full
def test_a_model_against_itself_does_not_differ(dl, tmp_path):
    assert dl(*SMALL, "study.epsilon=0.05", "--against", "builtin:mnist", "--quiet").code == 0
    (result,) = results(tmp_path)
    assert result["metrics"]["attack/paired/robust_accuracy_difference"]["value"] == 0
    assert result["metrics"]["attack/paired/p_value"]["value"] == 1


def test_models_of_other_data_are_not_compared(dl, runs):
    answer = dl(*SMALL, "--against", "digits")
    assert answer.code == 2
    assert "paired test needs the same examples" in answer.err
    assert "noise" not in answer.err


def test_another_model_that_is_not_there_is_refused_before_anything_runs(dl, tmp_path):
    answer = dl(*SMALL, "--against", "nosuch")
    assert answer.code == 2
    assert "there is no run 'nosuch'" in answer.err
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_says_the_cost_and_writes_nothing(dl, tmp_path):
    answer = dl(*SMALL, "--dry-run")
    assert answer.code == 0, answer.err
    assert "estimated cost" in answer.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("attack", "fgsm", "--budget", "60s"), "budget=60s belongs to a report"),
        (("attack", "fgsm", "--against", "builtin:mnist"), "against=builtin:mnist belongs to a report"),
        (("attack", "report", "--targeted", "3"), "targeted=3 belongs to one attack"),
        (("attack", "report", "--source", "builtin:mnist"), "source=builtin:mnist belongs to one attack"),
        (("attack", "report", "attack.gamma=2"), "gamma"),
        (("attack", "report", "--images", "x.png"), "needs labels"),
        (("attack", "report", "--run", "pretrained:efficientnet_lite0", "--images", "x.png"), "needs labels"),
        (("attack", "--resume", "study.steps=3"), "cannot change"),
        (("attack", "--resume"), "no unfinished attack run"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(words, message, dl):
    answer = dl(*words)
    assert answer.code == 2
    assert message in answer.err


@pytest.mark.parametrize("disguise", ["saturated", "quantised", "randomised"])
def test_a_shipped_model_fails_in_disguise(disguise, dl, tmp_path):
    answer = dl(*SMALL, "--limit", "16", "study.epsilon=0.05", f"study.disguise={disguise}", "study.probes=8", "study.rungs=2")
    assert answer.code == 0, answer.err
    assert "Masking verdict FAIL" in answer.err
    assert "Next: " in answer.err
    (result,) = results(tmp_path)
    assert result["metrics"]["attack/masking/failed"]["value"] >= 1


def test_a_shipped_model_passes_as_it_is(dl, tmp_path):
    answer = dl(*SMALL, "study.epsilon=0.3")
    assert answer.code == 0, answer.err
    assert "Masking verdict PASS" in answer.err
    (result,) = results(tmp_path)
    assert result["metrics"]["attack/masking/warned"]["value"] == result["metrics"]["attack/masking/failed"]["value"] == 0


def test_an_unknown_disguise_is_refused_in_one_line(dl):
    answer = dl(*SMALL, "study.disguise=hat")
    assert answer.code == 2
    assert "saturated, quantised, randomised" in answer.err


def test_in_l2_a_certified_lower_bound_stands_beside_the_upper(dl, tmp_path):
    options = ("study.norm=l2", "study.certify=8", "study.draws=200", "study.probes=8", "study.rungs=2")
    answer = dl(*SMALL, "--limit", "16", *options)
    assert answer.code == 0, answer.err
    (result,) = results(tmp_path)
    values = {name: entry["value"] for name, entry in result["metrics"].items() if name.startswith("attack/smoothed/")}
    radii = [name.split("/")[2] for name in values if name.endswith("certified_accuracy")]
    assert len(radii) == 9
    assert all(values[f"attack/smoothed/{r}/certified_accuracy"] <= values[f"attack/smoothed/{r}/robust_accuracy"] for r in radii)
    assert values["attack/smoothed/contradicted"] == 0
    assert "certifying 8 examples" in answer.err
    folder = next((tmp_path / "runs").glob("attack/report/*/result.json")).parent
    assert "at least (certified)" in (folder / "report.html").read_text()
    assert (folder / "plots" / "certified.png").is_file()


def test_nothing_is_certified_where_none_was_asked_for(dl, tmp_path):
    assert dl(*SMALL, "--limit", "16", "study.norm=l2", "study.certify=0", "study.probes=8", "study.rungs=2").code == 0
    (result,) = results(tmp_path)
    assert not [name for name in result["metrics"] if "smoothed" in name]
