import json
import re

import pytest

from dlcli.commands.report import report
from dlcli.errors import DataError, UsageError
from dlcli.runs.find import list_runs


def test_the_whole_chain_is_in_one_small_page(dl, runs):
    for command in (("evaluate",), ("attack", "fgsm", "--limit", "50"), ("explain", "gradcam", "--limit", "4")):
        assert dl(*command, "--quiet").code == 0
    written = report("digits")
    page, text = written.html.read_text(), written.markdown.read_text()
    assert written.remarks == ()
    assert written.size == written.html.stat().st_size < 5_000_000
    assert page.count("<img ") == 6  # curves, confusion, reliability, mistakes, triple, overlays
    for words in (
        "dl evaluate",
        "dl attack fgsm",
        "dl explain gradcam",
        "robust accuracy",
        "To be filled in by a person",
    ):
        assert words in page
        assert words in text
    links = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert len(links) == 6
    assert all((written.markdown.parent / link).is_file() for link in links)


def test_a_child_stands_for_its_model_and_the_newest_model_is_the_default(dl, runs):
    assert dl("evaluate", "--run", "flat", "--quiet").code == 0
    evaluation = next(run for run in list_runs(verbs=("evaluate",)))
    assert report(evaluation.id).html.parent.parent.name == "flat"
    assert report(None).html.parent.parent.name == "digits"


def test_a_second_report_replaces_the_first_and_nothing_else(runs):
    first = report("digits")
    before = sorted(path.name for path in first.html.parent.iterdir())
    assert report("digits").html == first.html
    assert sorted(path.name for path in first.html.parent.iterdir()) == before
    assert {"report.html", "report.md"} <= set(before)


@pytest.mark.parametrize("name", ["card.html", "card.md"])
def test_what_is_no_report_is_left_alone(runs, tmp_path, name):
    (tmp_path / name).write_text("my own words")
    with pytest.raises(UsageError, match="was not made by dl report"):
        report("digits", to=str(tmp_path / "card.html"))
    assert (tmp_path / name).read_text() == "my own words"


def test_a_report_elsewhere_links_its_pictures_from_there(runs, tmp_path):
    written = report("digits", to=str(tmp_path / "card.html"))
    (link,) = re.findall(r"!\[[^]]*\]\(([^)]*)\)", written.markdown.read_text())
    assert (tmp_path / link).is_file()
    assert written.markdown == tmp_path / "card.md"


def test_notes_fill_their_fields_and_are_kept_for_the_next_report(runs, tmp_path):
    notes = tmp_path / "notes.md"
    notes.write_text("## Intended use\nTo teach <b>children</b>.\n")
    assert "To teach &lt;b&gt;children&lt;/b&gt;." in report("digits", notes=str(notes)).html.read_text()
    notes.unlink()
    page = report("digits").html.read_text()
    assert "To teach" in page
    assert page.count("To be filled in by a person") == 4


def test_wrong_notes_leave_what_was_kept(runs, tmp_path):
    notes = tmp_path / "notes.md"
    notes.write_text("## Intended use\nfirst\n")
    report("digits", notes=str(notes))
    notes.write_text("## Intention\nsecond\n")
    with pytest.raises(UsageError, match="is no field of the card"):
        report("digits", notes=str(notes))
    assert "first" in report("digits").html.read_text()


def test_a_run_folder_with_links_is_not_written_into(runs, tmp_path):
    folder = next(runs.glob("train/digits/2*"))
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (folder / "report.html").symlink_to(precious)
    with pytest.raises(DataError, match="is a link"):
        report("digits")
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("content", [b"## Intention\nx\n", b"just text", b"\xff"])
def test_kept_notes_that_cannot_be_read_are_named_and_not_fatal(runs, content):
    kept = next(runs.glob("train/digits/2*")) / "notes.md"
    kept.write_bytes(content)
    written = report("digits")
    assert any(str(kept) in remark and "left out" in remark for remark in written.remarks)
    assert "notes.md is left out" in written.html.read_text()
    assert kept.read_bytes() == content


def test_a_garbled_run_folder_still_gets_its_page(runs):
    folder = next(runs.glob("train/digits/2*"))
    result = json.loads((folder / "result.json").read_text())
    entry = {"value": 0.5, "low": 0.1, "high": 0.9, "n": 7, "method": None}
    names = [f"test/recall/{'1' * 5000}", "/".join(["1"] * 3000), "test/recall/²", "", "/", "test/threshold/", "test/accuracy"]
    result["metrics"] |= dict.fromkeys(names, entry)
    (folder / "result.json").write_text(json.dumps(result))
    run = json.loads((folder / "run.json").read_text())
    run |= {"overrides": 5, "end": [], "start": 10**400, "parameters": 10**400, "data": {"sizes": {"train": 10**400, "x": []}}}
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "config.yaml").write_text(f"seed: 0x{'f' * 5000}\nattack: {{1: 2, a: 3}}\n")
    for path in folder.glob("checkpoints/*/state.json"):
        state = json.loads(path.read_text())
        state["spec"] |= {"shape": [], "epsilon": 10**400, "classes": [[], {}, 10**400]}
        path.write_text(json.dumps({**state, "calibration": {"temperature": 10**400}, "data_digest": []}))
    written = report("digits")
    assert any("too large to be shown" in remark for remark in written.remarks)
    assert written.html.stat().st_size < 5_000_000


@pytest.mark.parametrize("value", ["{1: 2, a: 3}", "[]", "10000000000000000000000000000000000000000000"])
def test_a_garbled_attack_still_gets_its_part(dl, runs, value):
    assert dl("attack", "fgsm", "--limit", "5", "--quiet").code == 0
    (folder,) = runs.glob("attack/fgsm/2*")
    (folder / "config.yaml").write_text(f"attack: {value}\nsplit: {value}\nlimit: {value}\ncheckpoint: {value}\n")
    assert "robust accuracy" in report("digits").html.read_text()
