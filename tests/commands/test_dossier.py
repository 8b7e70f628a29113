import io
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from dlcli.commands.dossier import gather, newest_of_each
from dlcli.runs.find import list_runs, read_run
from dlcli.runs.run import Run


def png(width=40, height=20):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, format="PNG")
    return buffer.getvalue()


def child(model, verb="attack", name="fgsm", *, metrics=None, files=None, config=b"seed: 0\n", overrides=(), n=100_000):
    """A finished run of ``model`` with the given files: name → (path, content)."""
    run = Run.create(
        verb=verb,
        name=name,
        config=config,
        information={"parent": model.id, "command": f"dl {verb} {name}", "overrides": list(overrides)},
    )
    for path, data in (files or {}).values():
        if data is not None:
            run.write(path, data)
    entry = {"value": 0.5, "low": None, "high": None, "n": n, "method": None}
    run.finish(
        seconds=1.0, metrics=dict.fromkeys(metrics or [], entry), files={key: path for key, (path, _) in (files or {}).items()}
    )
    return read_run(run.path)


@pytest.fixture
def model(runs):
    """The newest model of a small runs folder."""
    return next(list_runs())


def gathered(model):
    return gather(read_run(model.path), beside=model.path, notes={})


def test_the_model_comes_with_its_checkpoints_spec_digest_and_curves(model):
    dossier = gathered(model)
    assert dossier.spec["name"] == "digits"
    assert len(dossier.classes) == 10
    assert len(dossier.state["data_digest"]) > 8
    assert dossier.model.shots["curves"].link == "plots/curves.png"
    assert dossier.data_facts["sizes"].keys() == {"train", "val", "test"}
    assert dossier.model.information["parameters"] > 1000
    assert dossier.remarks == dossier.model.remarks == ()


def test_pictures_of_children_are_linked_from_beside_the_report(model):
    other = child(model, files={"triple": ("plots/triple.png", png()), "maps": ("maps.npz", b"x")})
    (attack,) = gathered(model).measured
    assert attack.shots["triple"].link == f"../../../attack/fgsm/{other.id}/plots/triple.png"
    assert attack.files["maps"] == "maps.npz"


def test_the_newest_of_each_kind_is_taken_and_groups_stay_beside_a_newer_evaluation_without(model):
    for name in ("fgsm", "fgsm", "pgd"):
        last = child(model, name=name)
    grouped = child(model, "evaluate", "digits", metrics=["test/accuracy"], files={"groups": ("groups.json", b"{}")})
    child(model, "evaluate", "digits", metrics=["test/accuracy"])
    plain = child(model, "evaluate", "digits", metrics=["test/accuracy"])
    found = [run.id for run in newest_of_each(run for run in list_runs() if run.verb != "train")]
    assert found[:2] == [plain.id, grouped.id]
    assert len(found) == 4
    assert found[2] == last.id


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../../../../secret.png", "no name of a file in its run folder"),
        ("/etc/hostname.png", "no name of a file in its run folder"),
        ("plots/none.png", "not there"),
    ],
)
def test_a_child_cannot_name_files_outside_its_folder(model, path, words, tmp_path):
    (tmp_path / "secret.png").write_bytes(png())
    child(model, files={"triple": (path, None), "own": ("plots/own.png", png())})
    (attack,) = gathered(model).measured
    assert list(attack.shots) == ["own"]
    assert words in attack.remarks[0]


def test_a_childs_link_is_not_followed_and_what_is_no_picture_is_left_out(model, tmp_path):
    (tmp_path / "secret.png").write_bytes(png())
    run = child(model, files={"triple": ("plots/triple.png", None), "text": ("plots/text.png", b"<svg onload=alert(1)>")})
    (run.path / "plots" / "triple.png").symlink_to(tmp_path / "secret.png")
    (attack,) = gathered(model).measured
    assert attack.shots == {}
    assert "leads through a link" in attack.remarks[0]
    assert "no PNG" in attack.remarks[1]


def test_pictures_beyond_the_weight_of_a_page_are_left_out_and_named(model):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="PNG", compress_level=0)
    child(model, files={f"p{number}": (f"plots/{number}.png", buffer.getvalue()) for number in range(4)})
    dossier = gathered(model)
    (attack,) = dossier.measured
    assert 0 < len(attack.shots) < 4
    assert sum(len(shot.image.data) for run in (dossier.model, attack) for shot in run.shots.values()) <= 3_300_000
    assert all("the page would be larger than" in remark for remark in attack.remarks)
    assert len(attack.shots) + len(attack.remarks) == 4


def test_a_run_that_names_thousands_of_files_shows_the_first(model):
    child(model, files={f"f{number}": (f"{number}.csv", None) for number in range(1000)})
    (attack,) = gathered(model).measured
    assert len(attack.files) == 40
    assert "first 40 of its 1000 files" in attack.remarks[0]


@pytest.mark.parametrize("content", [b"[]", b"not json", b"[" * 100_000, b"\xff\xfe"])
def test_garbled_groups_are_named_and_not_fatal(model, content):
    child(model, "evaluate", "digits", metrics=["test/accuracy"], files={"groups": ("groups.json", content)})
    (evaluation,) = gathered(model).measured
    assert evaluation.groups is None
    assert "groups cannot be read" in evaluation.remarks[-1]


@pytest.mark.parametrize("config", [b"a: &x 1\nb: *x\n", b"- 1\n", b"!!python/object/apply:os.system [touch canary]\n", b"\xff"])
def test_a_garbled_configuration_is_named_and_runs_nothing(model, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    child(model, config=config)
    (attack,) = gathered(model).measured
    assert attack.config == {}
    assert attack.remarks
    assert not (tmp_path / "canary").exists()


def test_a_broken_checkpoint_and_a_broken_child_are_named(model):
    run = child(model)
    (run.path / "result.json").write_text(json.dumps({"schema": 1}))
    for state in model.path.glob("checkpoints/*/state.json"):
        state.write_text("[]")
    dossier = gathered(model)
    assert dossier.state == {}
    assert any("is broken and left out" in remark for remark in dossier.remarks)
    assert any("the checkpoint of" in remark for remark in dossier.remarks)


def test_an_index_cannot_choose_a_checkpoint_outside(model):
    (model.path / "checkpoints" / "index.json").write_text(json.dumps({"best": "../../../..", "last": ["x"]}))
    assert gathered(model).spec["name"] == "digits"


def test_an_evaluation_of_other_data_does_not_hide_that_of_the_models_own(model):
    own = child(model, "evaluate", "digits", metrics=["test/accuracy"], overrides=["batch_size=10"])
    child(model, "evaluate", "digits", metrics=["test/accuracy"], overrides=["data=mnist"], config=b"data: {_target_: x}\n")
    again = child(model, "evaluate", "digits", metrics=["test/accuracy"], overrides=["batch_size=20"])
    dossier = gathered(model)
    assert len(dossier.measured) == 2
    assert dossier.figures.id == again.id != own.id


def test_of_very_many_attacks_the_newest_are_shown(model):
    for number in range(14):
        last = child(model, name=f"a{number}")
    attacks = gathered(model).measured
    assert len(attacks) == 12
    assert attacks[0].id == last.id


def test_what_measured_the_model_before_its_training_ended_is_left_out_and_named(model):
    early = child(model, "evaluate", "digits", metrics=["test/accuracy"])
    information = json.loads((model.path / "run.json").read_text())
    (model.path / "run.json").write_text(json.dumps({**information, "end": datetime.now(UTC).isoformat()}))
    late = child(model)
    dossier = gathered(model)
    assert [run.id for run in dossier.measured] == [late.id]
    assert dossier.figures.verb == "train"
    assert any(early.id in remark and "before the model's training ended" in remark for remark in dossier.remarks)


@pytest.mark.parametrize("end", [None, 3, "garbled", "2999-01-01T00:00:00"])
def test_an_end_that_is_no_time_leaves_nothing_out(model, end):
    information = json.loads((model.path / "run.json").read_text())
    (model.path / "run.json").write_text(json.dumps({**information, "end": end}))
    child(model)
    assert len(gathered(model).measured) == 1


def test_a_weak_attack_does_not_hide_a_strong_one(model):
    child(model, overrides=["attack=fgsm", "attack.epsilon=0.3"])
    child(model, overrides=["attack=fgsm", "attack.epsilon=0.001", "limit=5"])
    assert len(gathered(model).measured) == 2
