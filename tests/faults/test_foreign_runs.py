"""A run folder from someone else: what it names is not executed, what it links to is not touched, and a message says why."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlcli.checkpoint import MANIFEST
from dlcli.runs.find import list_runs
from dlcli.runs.run import checkpoint_names

Dl = Callable[..., Any]
TINY = ("digits", "--epochs", "1", "--quiet", "limit_train=64", "model=mlp", "model.widths=[4]")
CODE = "from pathlib import Path\n(Path(__file__).parent / 'canary').touch()\nfrom dlcli.models.mlp import MLP as Net\n"
# A function, a class of another kind, a class that does things, a module of the current folder, and what is no name at all.
TARGETS = (
    "os.system",
    "subprocess.Popen",
    "builtins.eval",
    "torch.load",
    "dlcli.data.mnist.MNIST",
    "pathlib.Path",
    "evil.Net",
    "__import__('os')",
    3,
)


@pytest.fixture(scope="module")
def finished(dl: Dl, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with one finished run."""
    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(root))
        assert dl("train", *TINY).code == 0
    return root


@pytest.fixture
def foreign(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that run, and a current folder with a module that leaves a canary when it is imported."""
    shutil.copytree(finished, tmp_path / "runs")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "evil.py").write_text(CODE)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return next(list_runs()).path


def rewrite_state(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes ``state.json`` of the last checkpoint and vouches for it, as an attacker can."""
    folder = path / "checkpoints" / checkpoint_names(path)[-1]
    state = json.loads((folder / "state.json").read_text())
    change(state)
    (folder / "state.json").write_text(json.dumps(state))
    entries = {
        file.name: {"size": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for file in folder.iterdir()
        if file.name != MANIFEST
    }
    manifest = {"schema": 1, "files": entries}
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    sealed = {**manifest, "seal": hashlib.sha256(text.encode()).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(sealed, indent=1, sort_keys=True) + "\n")


def unfinished(path: Path) -> None:
    (path / "result.json").unlink()


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_in_a_checkpoint_that_is_no_network_of_ours_is_refused(dl: Dl, foreign: Path, target: Any) -> None:
    rewrite_state(
        foreign, lambda state: state.update(model={"_target_": target, "path": "canary", "mode": "w", "command": "touch canary"})
    )
    answer = dl("evaluate", "--run", str(foreign), "--quiet")
    assert answer.code == 65, answer.err
    assert "_target_" in answer.err
    assert not Path("canary").exists()
    unfinished(foreign)
    answer = dl("train", "--resume", foreign.name, "--quiet")
    assert answer.code == 65, answer.err
    assert not Path("canary").exists()


@pytest.mark.parametrize("group", ["model", "data", "augment", "loss", "optimizer", "scheduler"])
@pytest.mark.parametrize("target", ["os.system", "evil.Net", "torch.load"])
def test_a_target_in_a_config_that_is_not_of_its_kind_is_refused(dl: Dl, foreign: Path, group: str, target: str) -> None:
    unfinished(foreign)
    values = yaml.safe_load((foreign / "config.yaml").read_text())
    values[group] = {"_target_": target, "command": "touch canary"}
    (foreign / "config.yaml").write_text(yaml.safe_dump(values))
    if group == "model":
        for name in checkpoint_names(foreign):
            (foreign / "checkpoints" / name).rename(foreign / f"gone-{name}")  # else the checkpoint's own node counts
    answer = dl("train", "--resume", foreign.name, "--quiet")
    assert answer.code == 65, answer.err
    assert "nothing of it was run" in answer.err
    assert not Path("canary").exists()


def test_a_run_that_names_a_data_source_of_another_kind_is_refused_by_later_verbs(dl: Dl, foreign: Path) -> None:
    values = yaml.safe_load((foreign / "config.yaml").read_text())
    values["data"] = {"_target_": "evil.Net"}
    (foreign / "config.yaml").write_text(yaml.safe_dump(values))
    answer = dl("evaluate", "--run", str(foreign), "--quiet")
    assert answer.code == 65, answer.err
    assert not Path("canary").exists()


def test_interpolations_in_a_stored_config_are_not_resolved(dl: Dl, foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "canary-4711")
    unfinished(foreign)
    text = (foreign / "config.yaml").read_text().replace("device: auto", "device: ${oc.env:SECRET}")
    (foreign / "config.yaml").write_text(text)
    answer = dl("train", "--resume", foreign.name, "--quiet")
    assert answer.code == 2
    assert "canary-4711" not in answer.err


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["progress"].update(step="x"),
        lambda state: state["progress"].update(step=-5),
        lambda state: state["progress"].update(step=10**9),
        lambda state: state["progress"].update(metrics_size=10**9),
        lambda state: state["progress"].update(metrics_size=None),
        lambda state: state["spec"].update(classes=["a", "b"]),
        lambda state: state["preprocessing"].update(shape=[7, 8, 8]),
        lambda state: state["model"].update(widths=[5]),
        lambda state: state.update(optimizer={"net.layers.9.weight/step": 3}),
    ],
)
def test_a_checkpoint_that_lies_about_its_state_is_a_data_error(
    dl: Dl, foreign: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    unfinished(foreign)
    rewrite_state(foreign, change)
    answer = dl("train", "--resume", foreign.name, "--quiet")
    assert answer.code == 65, answer.err


@pytest.mark.parametrize("file", ["run.json", "result.json"])
def test_a_record_of_a_newer_schema_is_refused_with_what_to_do(dl: Dl, foreign: Path, file: str) -> None:
    content = json.loads((foreign / file).read_text()) | {"schema": 2}
    (foreign / file).write_text(json.dumps(content))
    for verb in (("evaluate", "--run"), ("train", "--resume")):
        answer = dl(*verb, foreign.name, "--quiet")
        assert answer.code == 65, answer.err
        assert "schema 2, this dlcli reads schema 1" in answer.err
    assert "broken" in dl("runs").out + dl("runs").err


def test_a_run_whose_metrics_link_elsewhere_leaves_that_file_alone(dl: Dl, foreign: Path, tmp_path: Path) -> None:
    unfinished(foreign)
    precious = tmp_path / "precious"
    precious.write_bytes((foreign / "metrics.jsonl").read_bytes() + b"more")
    before = precious.read_bytes()
    (foreign / "metrics.jsonl").unlink()
    (foreign / "metrics.jsonl").symlink_to(precious)
    answer = dl("train", "--resume", foreign.name, "--quiet")
    assert answer.code == 65, answer.err
    assert precious.read_bytes() == before


def test_a_second_process_on_a_run_ends_with_75_and_names_the_first(dl: Dl, foreign: Path) -> None:
    from dlcli.runs.run import Run

    unfinished(foreign)
    held = Run.reopen(foreign)
    answer = dl("train", "--resume", foreign.name, "--quiet")
    held.fail(KeyboardInterrupt())
    assert answer.code == 75
    assert f"is being written by process {os.getpid()} on " in answer.err
