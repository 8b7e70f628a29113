import torch
from PIL import Image

from dlcli.data.decode import decode
from dlcli.data.ingest import Ingested
from dlcli.data.unlabelled import THUMBNAIL, Read, Reading, batches
from dlcli.errors import DataError, DlcliError


class Halver:
    """A step that gives the upper half, and refuses what is small."""

    purpose, longest = "the upper half", 64

    def __call__(self, photo):
        if photo.shape[1] < 10:
            raise DataError("too small")
        return Ingested(photo[:1, : photo.shape[1] // 2].float() / 255, note="half")


def test_an_image_is_read_as_training_reads_it(photos, tmp_path):
    photos["china"].save(tmp_path / "a.png")
    read = Reading(size=32, channels=3, crop=0.875).one(tmp_path / "a.png")
    assert isinstance(read, Read)
    assert torch.equal(read.image, decode(tmp_path / "a.png", size=32, crop=0.875).pixels.float() / 255)
    assert read.photo is None


def test_a_step_gets_the_whole_photo_and_a_thumbnail_is_kept(photos, tmp_path):
    photos["china"].save(tmp_path / "a.png")
    read = Reading(size=32, channels=1, ingest=Halver()).one(tmp_path / "a.png")
    assert isinstance(read, Read)
    assert (tuple(read.image.shape), read.note) == ((1, 21, 64), "half")
    assert read.photo is not None
    assert max(read.photo.shape) <= THUMBNAIL


def test_what_a_step_refuses_is_named_with_its_file(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    error = Reading(size=8, channels=1, ingest=Halver()).one(tmp_path / "a.png")
    assert isinstance(error, DataError)
    assert error.message.endswith("a.png: too small")


def test_batches_keep_the_order_and_hold_errors_in_their_places(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(files):
        Image.new("L", (8, 8), 10 * number).save(path)
    files[3].write_text("no image")
    found = list(batches(files, Reading(size=8, channels=1), size=2))
    assert [len(batch) for batch in found] == [2, 2, 1]
    flat = [each for batch in found for each in batch]
    assert isinstance(flat[3], DlcliError)
    levels = [round(float(each.image.mean()) * 255) for each in flat if isinstance(each, Read)]
    assert levels == [0, 10, 20, 40]


def test_no_more_than_a_batch_is_read_ahead(tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(4)]
    Image.new("L", (8, 8)).save(files[0])
    Image.new("L", (8, 8)).save(files[1])
    stream = batches(files, Reading(size=8, channels=1), size=2)
    assert all(isinstance(each, Read) for each in next(stream))
    Image.new("L", (8, 8)).save(files[2])
    Image.new("L", (8, 8)).save(files[3])
    assert all(isinstance(each, Read) for each in next(stream))
