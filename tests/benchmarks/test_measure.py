"""The benchmark room: what it says it measures, and what lies in its results. No test here is about time."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path

import pytest

from benchmarks import measure, tables
from benchmarks.measure import Goal, Side, Trial, median, run_alternating, run_process, save
from benchmarks.peers.networks import arrays, network, standardised

ROOT = Path(__file__).resolve().parents[2]
TABLES = [module.name for module in pkgutil.iter_modules(tables.__path__)]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


def side(name: str, code: str) -> Side:
    return Side(name, lambda number: [sys.executable, "-c", code, str(number)])


def test_sides_take_turns_at_being_first(tmp_path, capsys):
    log = tmp_path / "log"
    code = "import sys; open({!r}, 'a').write({!r}); print('text'); print('{{\"number\": ' + sys.argv[1] + '}}')"
    trials = run_alternating([side(name, code.format(str(log), name)) for name in "abc"], 4)
    assert log.read_text() == "abcbcacababc"
    assert [trial["number"] for trial in trials["b"]] == [0, 1, 2, 3]


def test_a_process_gives_its_own_usage_and_runs_with_the_threads_of_all_sides(python, tmp_path):
    (tmp_path / "large.py").write_text(
        "import json, os; data = b'x' * (200 << 20); print(json.dumps({'threads': os.environ['OMP_NUM_THREADS']}))"
    )
    (tmp_path / "small.py").write_text("pass")
    # In a fresh process: a child's peak memory starts at its parent's, and this one may have loaded torch.
    code = (
        "import sys; from benchmarks.measure import Side, run_process\n"
        "for path in sys.argv[1:]:\n"
        "    trial = run_process(Side(path, lambda _: [sys.executable, path]), 0)\n"
        "    print(trial.peak_mb, trial.cpu_seconds, trial.seconds, trial.output.get('threads', 0))"
    )
    answer = python(code, str(tmp_path / "large.py"), str(tmp_path / "small.py"))
    large, small = (list(map(float, line.split())) for line in answer.out.splitlines())
    assert 200 < large[0] < 260
    assert small[0] < 100  # not the largest of all children so far
    assert 0 < large[1] <= 2 * large[2] + 0.1
    assert large[3] == (os.cpu_count() or 1)


def test_a_side_that_fails_is_an_error_with_its_last_words():
    with pytest.raises(RuntimeError, match=r"broken ended with 3[\s\S]*so it is"):
        run_process(side("broken", "import sys; print('so it is', file=sys.stderr); sys.exit(3)"), 0)


@pytest.mark.parametrize(
    ("value", "at_least", "met"), [(2.0, True, True), (1.9, True, False), (2.0, False, True), (2.1, False, False)]
)
def test_a_goal_is_a_bound_from_below_or_above(value, at_least, met):
    assert Goal("ratio", value, 2.0, at_least=at_least).met is met


def test_what_is_saved_holds_every_trial_the_machine_and_what_fell_short(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    trials = {"ours": [Trial(1.0, 2.0, 3.0, {"accuracy": 0.9}), Trial(3.0, 2.0, 3.0), Trial(2.0, 2.0, 3.0)]}
    path = save("table", measure.machine(), trials, [Goal("ratio", 1.0, 2.0, at_least=True)])
    content = json.loads(path.read_text())
    assert median(trials["ours"]) == 2.0
    assert [trial["seconds"] for trial in content["sides"]["ours"]] == [1.0, 3.0, 2.0]
    assert content["goals"][0]["met"] is False
    assert {"processor", "cores", "packages", "load_1_min"} <= set(content["machine"])
    assert "SHORT ratio: 1 (goal ≥ 2)" in capsys.readouterr().out


@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_what_it_compares_and_can_be_run(name):
    module = importlib.import_module(f"benchmarks.tables.{name}")
    assert module.__doc__
    assert callable(module.run)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_committed_results_rest_on_three_repeats_and_name_no_place(path):
    content = json.loads(path.read_text())
    assert path.stem == content["table"] in TABLES
    assert all(len(trials) >= 3 for trials in content["sides"].values())
    assert content["goals"]
    assert str(Path.home()) not in path.read_text()
    assert "/work" not in path.read_text()


def test_the_peers_train_dlclis_own_network_on_its_own_images():
    assert sum(parameter.numel() for parameter in network("mnist_cnn").parameters()) == 18_730
    images, labels = arrays("train")
    assert (images.shape, len(labels)) == ((55_000, 1, 28, 28), 55_000)
    shown = standardised(images[:20_000])
    assert abs(float(shown.mean())) < 0.02
    assert abs(float(shown.std()) - 1) < 0.02
