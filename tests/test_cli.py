"""The five verbs in a row, as a user types them, read by the contract of ``result.json``."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = 2000
ID = re.compile(r"\d{8}-\d{6}\.\d{3}-[0-9a-f]{6}")


@pytest.fixture(scope="module")
def chain(dl, tmp_path_factory):
    """The answers of the five verbs in a row, by verb; each with ``--json``."""
    root = tmp_path_factory.mktemp("chain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(root))
        commands = {
            "train": f"train mnist --limit-train {EXAMPLES} --epochs 1",
            "evaluate": "evaluate",
            "attack": "attack fgsm --limit 500",
            "explain": "explain gradcam --limit 8",
            "finetune": "finetune --run latest --data digits --epochs 1",
        }
        return root, {verb: dl(*command.split(), "--json") for verb, command in commands.items()}


def result(chain, verb: str) -> dict:
    return json.loads(chain[1][verb].out)


VERBS = ("train", "evaluate", "attack", "explain", "finetune")
NAMES = {"train": "mnist", "evaluate": "mnist", "attack": "fgsm", "explain": "gradcam", "finetune": "digits"}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_ends_well_and_says_what_it_loads_first(chain, verb):
    answer = chain[1][verb]
    assert answer.code == 0, answer.err
    assert answer.err.splitlines()[0].startswith(f"dl {verb}")
    assert answer.err.splitlines()[0].endswith("· loading PyTorch …")


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_result_json_byte_for_byte_and_nothing_else(chain, verb):
    root, answers = chain
    (folder,) = (root / verb / NAMES[verb]).glob("2*")
    assert answers[verb].out.encode() == (folder / "result.json").read_bytes()


@pytest.mark.parametrize("verb", VERBS)
def test_a_result_has_the_shape_of_the_contract(chain, verb):
    content = result(chain, verb)
    assert list(content) == ["schema", "verb", "id", "parent", "seconds", "metrics", "files"]
    assert (content["schema"], content["verb"]) == (1, verb)
    assert ID.fullmatch(content["id"])
    assert content["seconds"] > 0
    assert content["metrics"]
    for name, entry in content["metrics"].items():
        assert re.fullmatch(r"(train|val|test|attack|explain|calibration)(/[a-z0-9_]+){1,3}", name)
        assert set(entry) == {"value", "low", "high", "n", "method"}
        for part in ("value", "low", "high"):
            assert entry[part] is None or (isinstance(entry[part], int | float) and math.isfinite(entry[part]))
        if entry["low"] is not None and entry["value"] is not None:
            assert entry["low"] <= entry["value"] <= entry["high"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_results_files_are_in_the_run_folder(chain, verb):
    root, _ = chain
    content = result(chain, verb)
    folder = root / verb / NAMES[verb] / content["id"]
    assert content["files"]
    for name in content["files"].values():
        assert (folder / name).stat().st_size > 100
    for name in ("config.yaml", "run.json", "log.txt"):
        assert (folder / name).is_file()


def test_later_verbs_name_the_trained_run_as_their_parent(chain):
    trained = result(chain, "train")
    assert trained["parent"] is None
    assert {result(chain, verb)["parent"] for verb in VERBS[1:]} == {trained["id"]}


def test_training_reports_the_test_accuracy_of_all_ten_thousand_with_a_wilson_interval(chain):
    entry = result(chain, "train")["metrics"]["test/accuracy"]
    assert (entry["n"], entry["method"]) == (10_000, "wilson")
    p, n, z = entry["value"], 10_000, 1.959963984540054
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert entry["low"] == pytest.approx((centre - half) / (1 + z * z / n), abs=1e-6)
    assert entry["high"] == pytest.approx((centre + half) / (1 + z * z / n), abs=1e-6)


def test_evaluate_finds_the_accuracy_that_training_reported(chain):
    trained, evaluated = result(chain, "train")["metrics"], result(chain, "evaluate")["metrics"]
    assert evaluated["test/accuracy"] == trained["test/accuracy"]
    assert {"test/top3_accuracy", "test/nll", "test/brier", "test/ece", "test/macro_f1", "test/recall/9"} <= set(evaluated)


def test_an_attack_reports_clean_noise_and_robust_accuracy(chain):
    metrics = result(chain, "attack")["metrics"]
    assert metrics["attack/clean_accuracy"]["n"] == metrics["attack/robust_accuracy"]["n"] == 500
    assert metrics["attack/robust_accuracy"]["value"] <= metrics["attack/clean_accuracy"]["value"]
    assert "attack/noise_accuracy" in metrics


def test_finetuning_tests_on_the_other_datas_test_split(chain):
    assert result(chain, "finetune")["metrics"]["test/accuracy"]["n"] == 270


def test_runs_lists_the_chain_newest_first(chain, dl, monkeypatch):
    monkeypatch.setenv("DL_RUNS", str(chain[0]))
    content = json.loads(dl("runs", "--json").out)
    assert set(content) == {"schema", "verb", "items"}
    assert (content["schema"], content["verb"]) == (1, "runs")
    assert [item["verb"] for item in content["items"]] == list(reversed(VERBS))
    assert {item["state"] for item in content["items"]} == {"finished"}


def test_every_run_names_a_command_that_repeats_it(chain):
    for verb in VERBS:
        run = next((chain[0] / verb / NAMES[verb]).glob("2*/run.json"))
        assert json.loads(run.read_text())["command"].startswith(f"dl {verb}")
    trained = next((chain[0] / "train").glob("*/2*/run.json"))
    assert json.loads(trained.read_text())["command"] == f"dl train mnist --epochs 1 --limit-train {EXAMPLES}"


@pytest.mark.parametrize("typed", ["list models --json", "list attacks --json", "runs --json", "doctor --json"])
def test_other_verbs_print_items(dl, typed):
    content = json.loads(dl(*typed.split()).out)
    assert list(content) == ["schema", "verb", "items"]
    assert (content["schema"], content["verb"]) == (1, typed.split()[0])
    assert isinstance(content["items"], list)


def test_quiet_says_nothing(dl):
    answer = dl("train", "digits", "--epochs", "1", "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


@pytest.mark.parametrize(
    "typed", ["train digits", "evaluate", "attack fgsm --limit 10", "explain gradcam", "finetune --data digits --run digits"]
)
def test_a_dry_run_shows_sizes_and_writes_nothing(typed, dl, runs):
    before = set(runs.rglob("*"))
    answer = dl(*typed.split(), "--dry-run")
    assert answer.code == 0, answer.err
    assert "nothing was written" in answer.err
    assert set(runs.rglob("*")) == before


@pytest.mark.parametrize("typed", ["evaluate --limit 300", "attack fgsm --limit 20", "explain gradcam --limit 4"])
def test_without_runs_the_shipped_model_is_used_and_this_is_said_first(typed, dl, tmp_path):
    answer = dl(*typed.split(), "--json")
    assert answer.code == 0, answer.err
    assert "builtin:mnist" in answer.errors[0]
    assert json.loads(answer.out)["parent"] == "builtin:mnist"
    if typed.startswith("evaluate"):
        assert [path.name for path in (tmp_path / "runs" / "evaluate").iterdir()] == ["builtin-mnist"]


def test_a_run_that_is_asked_for_but_not_there_never_falls_back(dl):
    answer = dl("evaluate", "--run", "latest", "--quiet")
    assert answer.code == 2
    assert "no finished run" in answer.err


def test_a_run_by_fast_dev_run_is_never_the_latest(dl, runs):
    newest = json.loads(dl("train", "mnist", "--fast-dev-run", "--json").out)["id"]
    assert json.loads(dl("evaluate", "--limit", "10", "--json").out)["parent"] != newest


def run_as(words: list[str], runs: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DL_RUNS": str(runs)}
    return subprocess.run([*words, *argv], env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("typed", ["--help", "--version", "runs --json", "trian", "train mnist --cfg job"])
def test_python_m_dlcli_is_the_same_as_dl(typed, runs):
    script, module = [str(Path(sys.executable).with_name("dl"))], [sys.executable, "-m", "dlcli"]
    if not Path(script[0]).exists():
        pytest.skip("dl is not installed beside this Python")
    first, second = (run_as(words, runs, *typed.split()) for words in (script, module))
    assert (first.returncode, first.stdout, first.stderr) == (second.returncode, second.stdout, second.stderr)
