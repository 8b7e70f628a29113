import gzip
import hashlib
from dataclasses import replace

import pytest
import torch

from dlcli.data.idx_images import IdxFiles, read_idx_images, remotes
from dlcli.errors import DataError

SMALL = IdxFiles(train_size=3, test_size=2)


@pytest.fixture
def contents(idx):
    def contents(*, first_label: int = 0) -> dict[str, bytes]:
        generator = torch.Generator().manual_seed(0)
        made = {}
        for (images, labels), size in ((SMALL.train, 3), (SMALL.test, 2)):
            made[images] = idx(torch.randint(0, 256, (size, 28, 28), dtype=torch.uint8, generator=generator))
            made[labels] = idx((torch.arange(size) + first_label).to(torch.uint8))
        return made

    return contents


@pytest.fixture
def write(tmp_path):
    def write(made: dict[str, bytes], *, packed: bool = False):
        for name, content in made.items():
            (tmp_path / name).write_bytes(gzip.compress(content, mtime=0) if packed else content)
        return lambda name: tmp_path / name

    return write


def values_of(content: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(content[16:]), dtype=torch.uint8).reshape(-1, 1, 28, 28)


def test_images_get_a_channel_and_labels_are_class_numbers(write, contents):
    made = contents()
    found = read_idx_images(SMALL, write(made))
    assert torch.equal(found.train.images, values_of(made["train-images-idx3-ubyte"]))
    assert torch.equal(found.test.images, values_of(made["t10k-images-idx3-ubyte"]))
    assert (found.train.labels.tolist(), found.test.labels.tolist()) == ([0, 1, 2], [0, 1])


def test_transposed_images_are_put_upright(write, contents):
    made = contents()
    found = read_idx_images(replace(SMALL, transposed=True), write(made))
    assert torch.equal(found.train.images, values_of(made["train-images-idx3-ubyte"]).transpose(2, 3))


def test_labels_that_count_from_one_are_made_to_count_from_zero(write, contents):
    assert read_idx_images(replace(SMALL, first_label=1), write(contents(first_label=1))).train.labels.tolist() == [0, 1, 2]
    assert read_idx_images(replace(SMALL, first_label=1), write(contents())).train.labels.tolist() == [-1, 0, 1]


def test_files_with_the_published_content_are_taken_without_a_note(write, contents, idx):
    made = contents()
    files = replace(SMALL, sha256={name: hashlib.sha256(content).hexdigest() for name, content in made.items()})
    assert read_idx_images(files, write(made)).notes == ()
    made["t10k-labels-idx1-ubyte"] = idx(torch.tensor([1, 1], dtype=torch.uint8))
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is not the published file"):
        read_idx_images(files, write(made))


def test_published_archives_are_known_by_their_digest_and_others_are_noted(write, contents):
    made = contents()
    packed = {f"{name}.gz": hashlib.md5(gzip.compress(content, mtime=0)).hexdigest() for name, content in made.items()}
    files = replace(SMALL, packed=packed)
    assert read_idx_images(files, write(made, packed=True)).notes == ()
    (note,) = read_idx_images(files, write(made)).notes
    assert note.startswith("checked by structure alone")
    assert all(name in note for name in made)


def test_another_number_of_images_is_a_data_error(write, contents):
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte holds values of shape \(3, 28, 28\), expected \(4, 28, 28\)"):
        read_idx_images(replace(SMALL, train_size=4), write(contents()))


def test_a_file_is_had_from_every_address_under_its_name():
    files = replace(SMALL, sha256={"images": "cd" * 32})
    (one,) = remotes(
        ("https://a.org/x/", "https://b.org/"), sizes={"images.gz": 5}, digests={"images.gz": "ab" * 32}, files=files
    )
    assert one.urls == ("https://a.org/x/images.gz", "https://b.org/images.gz")
    assert (one.name, one.size, one.digest) == ("images.gz", 5, "ab" * 32)
    assert one.unpacked == "cd" * 32
