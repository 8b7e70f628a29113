"""How runs look in the terminal."""

from dlcli.cli.run_lines import list_lines, sweep_lines


def text(lines):
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in lines]


def item(**changes):
    own = {"id": "1", "verb": "train", "name": "mnist", "state": "finished", "metric": None, "value": None}
    return {**own, "seconds": 1.25, "start": None, "problem": None, **changes}


def test_a_state_has_its_colour_and_columns_stand_below_each_other():
    lines = list_lines([item(), item(id="12345", state="failed", problem="disk\nfull")])
    assert ("failed  ", "red") in lines[2]
    assert [line.index("train") for line in text(lines[1:])] == [7, 7]
    assert "disk\\x0afull" in text(lines)[2]


def test_no_color_means_no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert all(isinstance(part, str) for line in list_lines([item()]) for part in line)


def test_a_large_sweep_shows_its_first_trials():
    trials = [{"id": str(number), "name": "n", "state": "finished", "overrides": []} for number in range(50)]
    sweep = {"id": "s", "path": "p", "verb": "train", "metric": "test/accuracy", "arms": {}, "trials": trials, "files": {}}
    lines = text(sweep_lines(sweep))
    assert lines[-1] == "  and 10 more: --json"


def test_what_was_finetuned_says_from_what() -> None:
    found = [item(verb="finetune", parent="pretrained:resnet18"), item(verb="finetune", parent="20261127-1"), item(parent="x")]
    text = ["".join(part if isinstance(part, str) else part[0] for part in line) for line in list_lines(found)]
    assert " ← resnet18 " in text[1]
    assert " ← 20261127-1 " in text[2]
    assert "←" not in text[3]
