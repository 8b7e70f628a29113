import io

import pytest
import torch
from PIL import Image

from dlcli.commands.console import Talk
from dlcli.commands.models import load_model
from dlcli.commands.predict import PredictSettings, answers_of
from dlcli.commands.predict_images import pictured, predict_images, reading_of
from dlcli.data.mnist import read_mnist


@pytest.fixture(scope="module")
def loaded():
    return load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=Talk(quiet=True))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Twenty test images of MNIST as they are, in files by their number."""
    folder = tmp_path_factory.mktemp("digits")
    test = read_mnist(None).test
    for row in range(20):
        Image.fromarray(test.images[row, 0].numpy()).save(folder / f"{row}.png")
    return [folder / f"{row}.png" for row in range(20)], test


def seen(files, loaded, **settings):
    wanted = PredictSettings(**settings)
    answers = answers_of(loaded, top=wanted.top, threshold=None)
    return predict_images(files, loaded, answers, wanted, talk=Talk(quiet=True), check=lambda: None)


def test_mnists_own_images_are_predicted_as_evaluate_predicts_them(loaded, digits):
    files, test = digits
    with torch.no_grad():
        expected = loaded.model(test.images[:20].float() / 255).argmax(1)
    found = seen(files, loaded, batch_size=7).predicted.items
    assert [item.label for item in found] == [str(int(label)) for label in expected]
    plain = seen(files, loaded, ingest="plain").predicted.items
    assert [item.chance for item in plain] == pytest.approx([item.chance for item in found])


def test_batches_do_not_change_the_answer(loaded, digits):
    files, _ = digits
    one, all_at_once = (seen(files, loaded, batch_size=size).predicted.items for size in (1, 64))
    assert [item.chance for item in one] == pytest.approx([item.chance for item in all_at_once], abs=1e-5)


def test_a_file_that_cannot_be_read_stands_in_its_place(loaded, digits, tmp_path):
    files, _ = digits
    broken = tmp_path / "broken.png"
    broken.write_text("hello")
    items = seen([files[0], broken, files[1]], loaded).predicted.items
    assert [item.label is None for item in items] == [False, True, False]
    assert "broken.png is no image" in (items[1].error or "")


def test_a_photo_is_drawn_above_what_the_network_saw(loaded, digits, tmp_path):
    _, test = digits
    photo = tmp_path / "photo.png"
    Image.fromarray(255 - test.images[0, 0].numpy()).resize((300, 300)).save(photo)
    found = seen([photo], loaded)
    assert found.predicted.items[0].label == "7"
    picture = Image.open(io.BytesIO(pictured(found) or b""))
    alone = Image.open(io.BytesIO(pictured(seen([photo], loaded, ingest="plain")) or b""))
    assert picture.height > alone.height + 100


def test_where_nothing_was_read_there_is_nothing_to_draw(loaded, tmp_path):
    (tmp_path / "a.png").write_text("hello")
    assert pictured(seen([tmp_path / "a.png"], loaded)) is None


def test_only_the_set_that_owns_a_step_has_one(loaded):
    talk = Talk(quiet=True)
    assert reading_of(loaded, ingest="auto", talk=talk).ingest is not None
    assert reading_of(loaded, ingest="plain", talk=talk).ingest is None
    without = type(loaded)(**{**vars(loaded), "data": {}})
    assert reading_of(without, ingest="auto", talk=talk).ingest is None


def test_the_crop_is_that_of_val_and_test(loaded):
    cropped = type(loaded)(**{**vars(loaded), "data": {"eval_crop": 0.875}})
    assert reading_of(cropped, ingest="auto", talk=Talk(quiet=True)).crop == 0.875
