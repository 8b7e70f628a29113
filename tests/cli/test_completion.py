"""Completion as the shells ask for it; no interactive zsh was at hand, its protocol is driven through its variables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlcli.cli import completion
from dlcli.cli.completion import candidates, complete_word
from dlcli.config.catalog import entries

HEAVY = ("torch", "hydra", "omegaconf", "numpy", "pandas", "sklearn", "matplotlib")
MAIN = (
    "import sys, atexit; sys.argv = ['dl'];"
    f"atexit.register(lambda: sys.stderr.write(str(sorted(set({HEAVY!r}) & set(sys.modules)))));"
    "from dlcli.cli import main; main()"
)


def bash(python, *words: str):
    """Asks as bash does; the last word is the one to complete."""
    return python(MAIN, _DL_COMPLETE="complete_bash", COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1))


def test_bash_completes_verbs_and_loads_nothing_heavy(python):
    answer = bash(python, "dl", "ev")
    assert answer.out.split() == ["evaluate"]
    assert answer.err == "[]"


def test_bash_completes_experiments_and_keys(python):
    answer = bash(python, "dl", "train", "mnis")
    assert "mnist" in answer.out.split()
    assert answer.err == "[]"


def test_bash_gets_the_bare_value_after_an_equals_sign(python):
    answer = bash(python, "dl", "train", "mnist", "optimizer", "=", "ad")
    assert set(answer.out.split()) == {name for name in entries("optimizer") if name.startswith("ad")}


def test_zsh_gets_key_and_value(python):
    answer = python(MAIN, _DL_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="dl train optimizer=ad")
    assert '"optimizer=adam"' in answer.out
    assert '"optimizer=adamw"' in answer.out
    assert answer.err == "[]"


@pytest.mark.skipif(
    shutil.which("bash") is None or not Path(sys.executable).with_name("dl").exists(), reason="needs bash and an installed dl"
)
def test_a_real_bash_fills_in_what_the_script_gives(tmp_path):
    script = (
        'eval "$(_DL_COMPLETE=source_bash dl)"\n'
        'try() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); COMPREPLY=()\n'
        '_dl_completion dl; echo "${COMPREPLY[*]}"; }\n'
        "try dl tr\ntry dl attack f\ntry dl train optimizer =\n"
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[:2] == ["train", "fab_t fgsm fmn"]
    assert {"adam", "sgd"} <= set(done.stdout.splitlines()[2].split())


def test_a_first_word_is_an_entry_or_a_key():
    found = candidates("train", [], "")
    assert {"mnist", "digits", "optimizer=", "trainer.epochs="} <= set(found)


def test_after_an_entry_only_keys_are_offered():
    assert "mnist" not in candidates("train", ["mnist"], "m")
    assert "model=" in candidates("train", ["mnist"], "m")
    assert "mnist" in candidates("train", ["model", "=", "mlp"], "m")


def test_a_value_is_completed_whole_or_split_at_the_equals_sign():
    assert candidates("train", [], "optimizer=rms") == ["optimizer=rmsprop"]
    assert candidates("train", ["optimizer", "="], "rms") == ["rmsprop"]
    assert candidates("train", ["optimizer"], "=rms") == ["rmsprop"]
    assert candidates("train", ["mnist", "optimizer"], "") == candidates("train", ["mnist", "optimizer", "="], "")
    assert candidates("train", [], "seed=") == []


def test_each_verb_offers_its_own_keys():
    assert candidates("evaluate", [], "spl") == ["split="]
    assert candidates("attack", [], "f") == ["fab_t", "fgsm", "fmn"]
    assert candidates("explain", [], "gradc") == ["gradcam", "gradcam_pp"]
    assert candidates("finetune", [], "dig") == []
    assert candidates("runs", [], "") == []


def test_the_users_own_configs_are_offered_too(tmp_path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.SGD\n")
    assert candidates("train", [], "optimizer=mi", user=str(tmp_path)) == ["optimizer=mine"]


def test_a_failure_never_reaches_the_prompt(monkeypatch, python, tmp_path):
    context = SimpleNamespace(info_name="train", params={"words": None, "config_dir": "/no/where"})
    assert complete_word(context, "") == []
    monkeypatch.setattr(completion, "candidates", lambda *_, **__: 1 / 0)
    assert complete_word(context, "") == []
    (tmp_path / "train.yaml").write_text("defaults: [")
    answer = bash(python, "dl", "train", "--config-dir", str(tmp_path), "")
    assert (answer.out.strip(), answer.err) == ("", "[]")
