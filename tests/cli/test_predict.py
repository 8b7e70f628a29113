import json
from pathlib import Path

import pytest
from PIL import Image

import dlcli
from dlcli.data.mnist import read_mnist
from dlcli.errors import UsageError


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with a 7, a 2 and what is no image; the current folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    images = read_mnist(None).test.images
    for row, name in enumerate(("seven", "two")):
        Image.fromarray(255 - images[row, 0].numpy()).resize((200, 200)).save(folder / f"{name}.png")
    (folder / "text.png").write_text("hello")
    (folder / "people.csv").write_text("a,b\n1,2\n")
    Image.new("RGB", (100, 100), "white").save(tmp_path / "blank.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_folder_is_read_and_what_cannot_be_is_named_and_counted(dl, photos):
    answer = dl("predict", "photos")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[1].split()[:2] == ["photos/seven.png", "7"]
    assert lines[2].split()[:2] == ["photos/two.png", "2"]
    assert "2 predicted" in lines[3]
    assert "no finished run here: using the shipped model builtin:mnist" in answer.err
    assert "left out: photos/text.png is no image" in answer.err
    assert "1 of 3 files gave no answer" in answer.err
    assert "1 other files left out" in answer.err
    assert answer.err.splitlines()[-1].split()[:3] == ["dl", "learn", "image-classification"]
    assert "dl learn" not in dl("predict", "photos", "--quiet").err


def test_json_alone_is_on_standard_output(dl, photos):
    content = json.loads(dl("predict", "photos", "--json", "--quiet", "--top", "2").out)
    assert (content["schema"], content["verb"]) == (1, "predict")
    seven, text, _ = content["items"]
    assert (seven["label"], len(seven["top"])) == ("7", 2)
    assert "no image" in text["error"]


def test_csv_and_picture_are_written_and_written_again(dl, photos, tmp_path):
    for _ in range(2):
        assert dl("predict", "photos", "--csv", "a/answers.csv", "--picture", "seen.png", "-q").code == 0
    assert (tmp_path / "a" / "answers.csv").read_text().splitlines()[0].startswith("file,label,probability,label_2")
    with Image.open(tmp_path / "seen.png") as image:
        assert image.width > 200


def test_plain_turns_the_sets_own_step_off(dl, photos):
    said = dl("predict", "photos").err
    assert "photos are prepared as mnist is" in said
    assert "--ingest plain turns it off" in said
    assert "photos are prepared" not in dl("predict", "photos", "--ingest", "plain").err


def test_the_newest_model_is_taken_and_reads_its_own_size(dl, photos, runs):
    answer = dl("predict", "photos/seven.png")
    assert answer.code == 0, answer.err
    assert "model: train digits" in answer.err
    assert "calibrated probabilities (temperature" in answer.err
    assert "were right" in answer.out


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("", 2, ["name what to predict", "photo.jpg"]),
        ("photos/sevn.png", 2, ["there is no file 'photos/sevn.png'", "did you mean 'seven.png'"]),
        ("nowhere/a.png", 2, ["the folder nowhere does not exist"]),
        ("empty", 2, ["no files matched", "empty holds no image"]),
        ("*.gif", 2, ["no files matched '*.gif'"]),
        ("photos/text.png", 65, ["photos/text.png is no image that can be read"]),
        ("cut.jpg", 65, ["cut.jpg is cut or damaged"]),
        ("blank.png", 65, ["blank.png: no ink found; expected a digit"]),
        ("cut.jpg blank.png", 65, ["cut.jpg is cut", "1 other"]),
        ("photos/people.csv", 2, ["photos/people.csv is a table", "reads images"]),
        ("photos --top 0", 2, ["--top 0: expected 1 or more"]),
        ("photos --threshold f1", 2, ["--threshold is for two classes; builtin-mnist has 10"]),
        ("photos --ingest no", 2, ["--ingest no: expected auto or plain"]),
        ("photos --csv photos/people.csv", 2, ["photos/people.csv exists and is no table of predictions"]),
        ("photos --picture photos/seven.png", 2, ["photos/seven.png is one of the files to read"]),
        ("photos --run nothing", 2, ["there is no run 'nothing'"]),
        ("photos --tpo 2", 2, ["no option '--tpo'", "'--top'"]),
    ],
)
def test_a_mistake_is_said_in_few_lines(dl, photos, typed, code, words):
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    answer = dl("predict", *typed.split(), "--quiet")
    assert answer.code == code, answer.err
    assert len(answer.errors) <= 3
    assert [word for word in words if word not in answer.err] == []
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_a_missing_file_is_told_without_loading_torch(python):
    code = "import sys; from dlcli.cli.answer import exit_code_of; print(exit_code_of(sys.argv[1:]), 'torch' in sys.modules)"
    assert python(code, "predict", "nothing.png").out == "2 False\n"


def test_the_python_door_gives_the_same_as_objects(photos, capfd):
    predicted = dlcli.predict(str(photos), run="builtin:mnist", top=2)
    assert [item.label for item in predicted.items] == ["7", None, "2"]
    assert "left out" in capfd.readouterr().err
    with pytest.raises(UsageError, match="predict has no setting 'tpo'; did you mean 'top'"):
        dlcli.predict(str(photos), tpo=2)


def test_hostile_file_names_are_escaped(dl, photos):
    Path("\x1b[31mred.png").write_bytes((photos / "seven.png").read_bytes())
    answer = dl("predict", "\x1b[31mred.png")
    assert answer.code == 0, answer.err
    assert "\x1b" not in answer.out + answer.err
    assert "\\x1b[31mred.png" in answer.out
