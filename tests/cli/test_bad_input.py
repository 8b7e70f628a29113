"""Whatever is typed wrong: what is wrong, what was expected, what to type instead; the right code, and nothing left behind."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from dlcli.data.mnist import SHIPPED

# Every line: what is typed, the exit code, and words that the message must hold.
MISTAKES = [
    # what there is to choose from
    ("trian mnist", 2, ["there is no command 'trian'", "did you mean 'train'?", "dl --help"]),
    (
        "train mnits",
        2,
        ["there is no experiment 'mnits'", "did you mean 'mnist', 'kmnist' or", "dl train mnist"],
    ),
    ("attack fgms", 2, ["there is no attack 'fgms'", "did you mean 'fgsm'?", "dl attack fgsm"]),
    ("explain gradcan", 2, ["there is no explainer 'gradcan'", "did you mean 'gradcam'"]),
    ("evaluate fgsm", 2, ["takes no bare word 'fgsm'", "KEY=VALUE", "dl evaluate --help"]),
    ("train optimizer=sgdd", 2, ["there is no optimizer 'sgdd'", "adamw", "did you mean 'sgd'?"]),
    ("train model=smal_cnn", 2, ["there is no model 'smal_cnn'", "mlp", "did you mean 'small_cnn'?"]),
    ("train --data mnits", 2, ["there is no data 'mnits'", "did you mean 'mnist', 'kmnist' or"]),
    ("train optimizer=null", 2, ["optimizer=null", "expected one of adam"]),
    ("list modles", 2, ["cannot list 'modles'", "did you mean 'models'?", "dl list models"]),
    ("list", 2, ["KIND", "dl list --help"]),
    ("runs tarin", 2, ["'tarin'", "expected one of train", "did you mean 'train'?", "dl runs train"]),
    # keys
    ("train optimiser=sgd", 2, ["unknown key 'optimiser'", "did you mean 'optimizer'?"]),
    ("train optimizer.lrr=1", 2, ["unknown key 'optimizer.lrr'", "did you mean 'optimizer.lr'?"]),
    ("train lr=0.1", 2, ["unknown key 'lr'", "did you mean 'optimizer.lr'?"]),
    ("train optimizer.betas=1", 2, ["unknown key 'optimizer.betas'", "optimizer has lr, momentum"]),
    ("train +optimizer.lrr=1", 2, ["unknown key 'optimizer.lrr'", "did you mean 'optimizer.lr'?"]),
    ("train ++trainer.epoch=1", 2, ["unknown key 'trainer.epoch'", "did you mean 'trainer.epochs'?"]),
    ("train +zzz=1", 2, ["unknown key 'zzz'", "--cfg job prints all keys"]),
    ("train ~nothing", 2, ["unknown key 'nothing'", "--cfg job prints all keys"]),
    ("train ~optimizer", 2, ["missing value for 'optimizer'", "write optimizer=VALUE"]),
    ("train hydra.searchpath=[file://nowhere]", 2, ["hydra.searchpath", "nowhere is not available"]),
    ("train --config-dir /no/where", 2, ["--config-dir /no/where", "no such folder"]),
    # flags
    ("train --mutlirun", 2, ["dl train has no option '--mutlirun'", "did you mean '--multirun'", "dl train --help"]),
    ("train --split test", 2, ["dl train has no option '--split'"]),
    ("train --epochs ten", 2, ["--epochs ten: expected a whole number", "dl train --help"]),
    ("train -b=1.5", 2, ["--batch-size 1.5: expected a whole number"]),
    ("runs --limit x", 2, ["--limit x: expected a whole number", "dl runs --help"]),
    ("runs --limit 0", 2, ["--limit 0: expected 1 or more"]),
    ("train --epochs", 2, ["--epochs needs a value", "--epochs N"]),
    ("train --seeds 0", 2, ["--seeds 0: expected 1 or more"]),
    ("train --cfg jobs", 2, ["--cfg jobs: expected one of job, hydra, all", "did you mean 'job'?"]),
    ("train --info tree", 2, ["--info tree: expected one of all", "defaults-tree"]),
    ("train --package model", 2, ["--package", "--cfg job --package model"]),
    ("train --cfg job --package nothing", 2, ["'nothing' not found", "dl train --cfg job"]),
    ("train -m --cfg job", 2, ["--cfg shows one configuration"]),
    ("train -m optimizer.lr=1,2 --dry-run", 2, ["--dry-run", "not a sweep", "dl runs --json"]),
    ("train --resume --seeds 2", 2, ["--resume", "--seeds has no place", "dl train --resume RUN"]),
    ("train digits --resume", 2, ["--resume", "'digits' has no place"]),
    # values
    ("train trainer.epochs=ten", 2, ["trainer.epochs=ten", "expected a whole number", "example: 3"]),
    ("train trainer.epochs=", 2, ["trainer.epochs=", "has no value", "expected a whole number", "example: 3"]),
    ("train trainer.epochs", 2, ["'trainer.epochs' is a key without a value", "trainer.epochs=VALUE"]),
    ("train trainer.epochs=???", 2, ["missing value for 'trainer.epochs'", "trainer.epochs=VALUE"]),
    ("train trainer.epochs=0", 2, ["trainer.epochs=0", "expected 1 or more"]),
    ("train trainer.precision=fp8", 2, ["trainer.precision=fp8", "expected one of fp32, bf16, fp16"]),
    ("train optimizer.lr=-1", 2, ["optimizer.lr=-1", "Invalid learning rate", "expected: peak learning rate, > 0"]),
    ("train optimizer.lr=nan", 2, ["optimizer.lr=nan", "expected a finite number"]),
    ("train optimizer.lr=inf", 2, ["optimizer.lr=inf", "expected a finite number"]),
    ("train optimizer.lr=", 2, ["optimizer.lr=", "has no value", "expected a number"]),
    ("train optimizer.lr=abc", 2, ["optimizer.lr=abc", "expected a number", "example: 0.1"]),
    ("train optimizer.lr=${nothing}", 2, ["optimizer.lr", "'nothing' not found"]),
    ("train optimizer.lr=0.1,0.2", 2, ["optimizer.lr=0.1,0.2", "more than one value", "add -m"]),
    ("train optimizer.lr=[0.1", 2, ["cannot read 'optimizer.lr=[0.1'", "expected KEY=VALUE"]),
    ("train model.dropout=2", 2, ["model.dropout must be in [0, 1)", "got 2.0"]),
    ("train data.val_size=0", 2, ["data.val_size must be in 1", "got 0"]),
    ("train limit_train=1.5", 2, ["limit_train=1.5", "fraction in (0, 1]"]),
    ("attack fgsm attack.epsilon=8", 2, ["attack.epsilon must be in [0, 1]", "did you mean 8/255?"]),
    ("attack fgsm attack.epsilon=8/0", 2, ["attack.epsilon=8/0", "divides by zero", "8/255"]),
    ("attack fgsm attack.epsilon=-0.1", 2, ["attack.epsilon must be finite and at least 0", "got -0.1"]),
    (f"train --data {'a' * 300}", 2, ["is longer than a file's name can be"]),
    ("attack fgsm attack.norm=l3", 2, ["attack.norm=l3", "expected one of linf, l2"]),
    ("attack pgd attack.norm=l2inf", 2, ["attack.norm=l2inf", "did you mean 'linf'?"]),
    ("attack pgd attack.epsilon=nan", 2, ["attack.epsilon=nan", "expected a finite number"]),
    ("attack pgd attack.epsilon=inf attack.norm=l2", 2, ["attack.epsilon=inf", "expected a finite number"]),
    ("attack pgd attack.epsilon=-1 attack.norm=l2", 2, ["attack.epsilon must be finite and at least 0, got -1"]),
    ("attack square attack.epsilon=1.5", 2, ["attack.epsilon must be in [0, 1] for linf", "did you mean 1.5/255?"]),
    ("evaluate --split tset", 2, ["split=tset", "expected one of train, val, test", "did you mean 'test'?"]),
    ("evaluate --limit 0", 2, ["limit=0", "expected 1 or more"]),
    ("evaluate --device cdua", 2, ["unknown device 'cdua'", "did you mean 'cuda'?"]),
    ("train digits --name ../x", 2, ["'../x' cannot be a run name", "expected 1 to 64 of", "--name"]),
    ("train mnist digits", 2, ["one bare word at most", "'mnist' and 'digits'", "-m"]),
    # a sweep is checked before its first trial
    ("train digits -m optimizer.lr=0.1,abc", 2, ["optimizer.lr=abc", "expected a number"]),
    ("train digits -m optimizer.lr=0.1,-1", 2, ["optimizer.lr=-1", "Invalid learning rate"]),
    ("train digits -m model.dropout=0,2", 2, ["model.dropout must be in [0, 1)"]),
    ("train digits -m trainer.epochs=1,0", 2, ["trainer.epochs=0", "expected 1 or more"]),
    ("train digits -m optimizer=sgd,adm", 2, ["there is no optimizer 'adm'", "'adam'"]),
    ("train digits -m optimizer.lr=interval(0,1)", 2, ["BasicSweeper does not support"]),
    ("train digits -m hydra/launcher=nothing", 2, ["there is no hydra/launcher 'nothing'", "basic"]),
    # what may be built
    ("train model._target_=os.system", 2, ["model._target_=os.system", "'os' is not trusted", "nothing of it was run"]),
    ("train model._target_=pathlib.Path", 2, ["'pathlib' is not trusted", "--trust pathlib"]),
    ("train model._target_=my_package.Net", 2, ["'my_package' is not trusted", "--trust my_package"]),
    ("train model._target_=dlcli.nothing.X", 2, ["model._target_=dlcli.nothing.X", "dlcli has no 'nothing'"]),
    ("train model._target_=dlcli.models.mlp.MPL", 2, ["dlcli.models.mlp has no 'MPL'", "did you mean 'MLP'?"]),
    ("train model._target_=dlcli.config.build.Path", 2, ["expected a torch.nn.Module class", "nothing of it was run"]),
    ("train model._target_=torch.load", 2, ["expected a torch.nn.Module class"]),
    ("train optimizer._target_=torch.nn.Linear", 2, ["expected a torch.optim.Optimizer class"]),
    ("train model._target_=5", 2, ["model._target_=5", "expected a dotted class name"]),
    ("train model._target_=os.system --trust os", 2, ["expected a torch.nn.Module class", "nothing of it was run"]),
    # data
    ("train data.root=/no/where", 74, ["train-images-idx3-ubyte", "/no/where", "data.root"]),
    ("train digits limit_train=100000", 2, ["limit_train=100000", "1257 training examples"]),
]
# The same, in a folder with two finished runs, `digits` and `flat`.
MISTAKES_ABOUT_RUNS = [
    ("evaluate --run nothere", 2, ["there is no run 'nothere'", "digits", "dl runs"]),
    ("evaluate --run flta", 2, ["there is no run 'flta'", "did you mean 'flat'?"]),
    ("evaluate --run ./nothere/", 2, ["there is no run folder at './nothere/'"]),
    ("evaluate --run 2", 2, ["'2' fits 2 runs", "give more of the id"]),
    ("evaluate --run pretrained:resnet999", 2, ["pretrained:resnet999", "did you mean 'resnet"]),
    ("evaluate --checkpoint 999", 2, ["--checkpoint 999", "no such checkpoint", "best, last or one of 20, 40"]),
    ("evaluate --checkpoint bset", 2, ["--checkpoint bset", "expected best, last or a step number", "did you mean 'best'?"]),
    ("explain gradcam --run flat", 2, ["gradcam needs a layer with a spatial map", "dl explain saliency"]),
    ("explain gradcam explainer.layer=net.foo", 2, ["explainer.layer", "got 'net.foo'", "--layer auto"]),
    ("train digits --from flat", 2, ["weights do not fit the network", "model="]),
    ("train digits --from builtin:mnist", 2, ["was trained on mnist", "dl finetune --run builtin:mnist --data digits"]),
    ("train digits loss.class_weights=balanced trainer.accumulate=2", 2, ["trainer.accumulate=2", "trainer.accumulate=1"]),
    ("train digits --seeds 2 seed=5", 2, ["--seeds and seed= exclude each other"]),
    ("train digits --overfit 100000", 2, ["overfit=100000", "--overfit 1257"]),
    ("train digits model=mlp model.norm=batch --batch-size 1", 2, ["BatchNorm", "--batch-size 2"]),
    ("finetune --run flat --resume", 2, ["no unfinished finetune run"]),
    ("train --resume nothere", 2, ["there is no run 'nothere'"]),
    ("train --resume digits optimizer.lr=1", 0, ["is finished"]),
]


def files_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*")) if folder.exists() else set()


def check(answer, code: int, words: list[str]) -> None:
    assert answer.code == code, answer.err
    assert [word for word in words if word not in answer.err] == [], answer.err
    assert "Traceback" not in answer.err
    assert "this is a mistake in dlcli" not in answer.err
    assert "Error executing job" not in answer.err
    assert "try: try:" not in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(("typed", "code", "words"), MISTAKES, ids=[line[0] for line in MISTAKES])
def test_a_mistake_is_named_in_at_most_three_lines_and_makes_no_run(typed, code, words, dl, tmp_path):
    answer = dl(*typed.split())
    check(answer, code, words)
    assert len(answer.err.splitlines()) <= 3
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize(("typed", "code", "words"), MISTAKES_ABOUT_RUNS, ids=[line[0] for line in MISTAKES_ABOUT_RUNS])
def test_a_mistake_about_runs_is_named_and_changes_no_file(typed, code, words, dl, runs):
    before = files_in(runs)
    answer = dl(*typed.split(), "--quiet")
    check(answer, code, words if code else [])
    assert len(answer.err.splitlines()) <= 3
    assert files_in(runs) == before


def test_several_mistakes_are_reported_together_one_line_each(dl, tmp_path):
    answer = dl("train", "trainer.epochs=ten", "optimizer.lr=abc", "optimizer.foo=1", "data=mnits", "+x.y=1", "seed=-1")
    check(answer, 2, ["'mnits'", "'optimizer.foo'", "'x'", "trainer.epochs=ten", "optimizer.lr=abc"])
    assert len(answer.errors) == 5
    assert all(line.startswith("error: ") for line in answer.errors)
    assert files_in(tmp_path) == set()


def test_more_than_eight_mistakes_are_counted_not_listed(dl):
    answer = dl("train", *(f"no_such_key_{letter}=1" for letter in "abcdefghij"))
    assert len(answer.errors) == 8
    assert answer.errors[-1] == "error: … and 3 more mistakes"


def test_control_characters_from_the_command_line_never_reach_the_terminal(dl):
    for argv in (
        ["\x1b[31mx"],
        ["train", "\x1b[31mx"],
        ["train", "x\x1b]0;y\x07=1"],
        ["evaluate", "--run", "\x9b31m"],
        ["train", "--\x1bx"],
    ):
        answer = dl(*argv)
        assert answer.code == 2
        assert not set(answer.err) & {"\x1b", "\x07", "\x9b"}
        assert "\\x" in answer.err


def test_with_debug_the_traceback_comes_before_the_message(dl):
    answer = dl("train", "trainer.epochs=0", "--debug")
    assert "Traceback (most recent call last)" in answer.err
    assert answer.err.splitlines()[-1] == "error: trainer.epochs=0: expected 1 or more"


def test_an_ambiguous_id_names_the_runs_that_it_fits(dl, runs):
    answer = dl("evaluate", "--run", "2")
    assert [path.parent.name in answer.err for path in runs.glob("train/*/*/run.json")] == [True, True]


def test_a_damaged_data_file_is_named_with_both_hashes(dl, tmp_path, monkeypatch):
    folder = tmp_path / "mnist"
    shutil.copytree(SHIPPED, folder)
    labels = folder / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[100] ^= 1
    labels.unlink()
    (folder / "t10k-labels-idx1-ubyte").write_bytes(content)
    answer = dl("train", "mnist", f"data.root={folder}")
    check(answer, 65, [str(folder / "t10k-labels-idx1-ubyte"), "ff7bcfd416de3373"])
    assert len(answer.err.splitlines()) <= 3
    assert not (tmp_path / "runs").exists()


def test_a_runs_folder_that_cannot_be_written_is_named(dl, tmp_path, monkeypatch):
    occupied = tmp_path / "file"
    occupied.write_text("in the way")
    monkeypatch.setenv("DL_RUNS", str(occupied / "runs"))
    for extra in ((), ("-m", "seed=0,1")):
        answer = dl("train", "digits", "--epochs", "1", "--quiet", *extra)
        check(answer, 74, [str(occupied), "DL_RUNS"] if extra else [str(occupied)])
    assert occupied.read_text() == "in the way"


def rewrite(path: Path, change) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def reseal(folder: Path) -> None:
    """Makes a changed checkpoint whole again, as someone who wants it opened would."""
    from dlcli import checkpoint

    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    import hashlib

    del files["MANIFEST.json"]
    entries = {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    (folder / "MANIFEST.json").write_bytes(checkpoint._sealed({"schema": checkpoint.SCHEMA, "files": entries}))


@pytest.mark.parametrize(
    "target",
    ["os.system", "evil.Net", "pathlib.Path", "torch.load", "torch.optim.SGD", "dlcli.config.bridge.launch", "torch.hub.load"],
)
def test_a_foreign_runs_target_is_refused_and_not_imported(target, dl, runs, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    for folder in runs.glob("train/digits/*/checkpoints/step-*"):
        rewrite(folder / "state.json", lambda state: state["model"].update(_target_=target))
        reseal(folder)
    answer = dl("evaluate", "--run", "digits", "--quiet")
    check(answer, 65, [target])
    assert not (tmp_path / "canary").exists()
    assert not (runs / "evaluate").exists()


def test_a_foreign_runs_data_target_is_refused(dl, runs):
    config = next(runs.glob("train/digits/*/config.yaml"))
    config.write_text(config.read_text().replace("dlcli.data.digits.Digits", "os.system"))
    answer = dl("evaluate", "--run", "digits", "--quiet")
    check(answer, 65, ["os.system", "nothing of it was run"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("!!python/object/apply:os.system [touch x]", ["not plain YAML"]),
        ("a: &x 1\nb: *x", ["anchors"]),
        ("- 1", ["mapping"]),
        ("", ["mapping"]),
    ],
)
def test_a_foreign_runs_config_is_read_as_plain_data(content, words, dl, runs):
    next(runs.glob("train/digits/*/config.yaml")).write_text(content)
    check(dl("evaluate", "--run", "digits", "--quiet"), 65, words)


def test_a_run_of_a_newer_schema_is_refused_with_its_number(dl, runs):
    path = next(runs.glob("train/digits/*/run.json"))
    rewrite(path, lambda content: content.update(schema=99))
    check(dl("evaluate", "--run", str(path.parent), "--quiet"), 65, ["schema 99"])


def test_a_folder_that_is_no_run_is_refused(dl, runs, tmp_path):
    (tmp_path / "photos").mkdir()
    check(dl("evaluate", "--run", str(tmp_path / "photos"), "--quiet"), 2, ["no run folder at"])


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused_before_anything_runs(dl, runs):
    for typed in ("evaluate --device cuda", "train digits --device cuda:3"):
        check(dl(*typed.split(), "--quiet"), 2, ["is not available on this machine", "--device auto"])


def test_failures_are_json_objects_where_json_is_asked_for(dl):
    for typed, code in (
        ("train trainer.epochs=0 --json", 2),
        ("trian --json", 2),
        ("runs tarin --json", 2),
        ("evaluate --limit x --json", 2),
    ):
        answer = dl(*typed.split())
        content = json.loads(answer.out)
        assert set(content) == {"schema", "verb", "error"}
        assert (content["schema"], content["verb"]) == (1, typed.split()[0])
        assert set(content["error"]) == {"code", "message", "hint"}
        assert content["error"]["code"] == answer.code == code
