import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dlcli.data.cifar_files import Files, read_cifar
from dlcli.data.fetchable import Published, Remote
from dlcli.errors import DataError, StorageError

PUBLISHED = Published(
    name="tiny",
    files=(Remote(name="tiny.tar.gz", urls=("https://example.org/tiny.tar.gz",), size=9, md5="ab" * 16),),
    terms="MIT",
)
IMAGES = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
FINE = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6], dtype=torch.uint8)


def content(rows: slice, *, labels: int) -> bytes:
    coarse = torch.full((len(FINE[rows]), labels - 1), 200, dtype=torch.uint8)
    return torch.cat([coarse, FINE[rows, None], IMAGES[rows].flatten(1)], dim=1).numpy().tobytes()


@pytest.fixture(params=[1, 2], ids=["one label", "coarse and fine"])
def made(request, tmp_path) -> tuple[Files, Path]:
    """Two train files of three images and a test file of two, in their folder."""
    parts = {"one.bin": slice(0, 3), "two.bin": slice(3, 6), "last.bin": slice(6, 8)}
    contents = {name: content(rows, labels=request.param) for name, rows in parts.items()}
    files = Files(
        folder="tiny-bin",
        archive="tiny.tar.gz",
        train=("one.bin", "two.bin"),
        test=("last.bin",),
        sha256={name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
        records=(3, 2),
        labels=request.param,
        pickled=("tiny-python.tar.gz", "tiny-py/meta", "meta"),
    )
    (tmp_path / "tiny-bin").mkdir()
    for name, data in contents.items():
        (tmp_path / "tiny-bin" / name).write_bytes(data)
    return files, tmp_path


def pack(files: Files, root: Path) -> None:
    with tarfile.open(root / files.archive, "w:gz") as archive:
        archive.add(root / files.folder, files.folder)
    for path in (root / files.folder).iterdir():
        path.unlink()


def test_images_and_labels_come_out_as_they_went_in(made):
    files, root = made
    train, test = read_cifar(files, PUBLISHED, root=str(root))
    assert torch.equal(train.images, IMAGES[:6])
    assert torch.equal(test.images, IMAGES[6:])
    assert torch.cat([train.labels, test.labels]).tolist() == FINE.tolist()
    assert train.images.is_contiguous(memory_format=torch.channels_last)


def test_the_root_may_be_the_folder_itself(made):
    files, root = made
    train, _ = read_cifar(files, PUBLISHED, root=str(root / "tiny-bin"))
    assert torch.equal(train.images, IMAGES[:6])


def test_the_archive_is_read_as_it_is_and_nothing_is_written(made):
    files, root = made
    pack(files, root)
    before = sorted(root.rglob("*"))
    train, test = read_cifar(files, PUBLISHED, root=str(root))
    assert torch.equal(torch.cat([train.images, test.images]), IMAGES)
    assert sorted(root.rglob("*")) == before


def test_an_archive_of_another_size_than_the_set_is_refused(made):
    files, root = made
    (root / files.folder / "more.bin").write_bytes(bytes(2 * files.size))
    pack(files, root)
    with pytest.raises(DataError, match=r"tiny\.tar\.gz is refused: unpacked it is larger than"):
        read_cifar(files, PUBLISHED, root=str(root))


@pytest.mark.parametrize("name", ["one.bin", "two.bin", "last.bin"])
def test_a_changed_byte_is_a_data_error_that_names_the_file(made, name):
    files, root = made
    path = root / "tiny-bin" / name
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"{name} of tiny-bin is not the published file"):
        read_cifar(files, PUBLISHED, root=str(root))


def test_a_cut_file_is_a_data_error(made):
    files, root = made
    path = root / "tiny-bin" / "two.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"two\.bin of tiny-bin is not the published file"):
        read_cifar(files, PUBLISHED, root=str(root))


@pytest.mark.parametrize("name", ["tiny-python.tar.gz", "tiny-py/meta", "meta"])
def test_the_pickled_version_is_refused_with_the_name_of_the_binary_one(made, tmp_path, name):
    files, _ = made
    path = tmp_path / "other" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match=r"could run code when it is read; expected the binary version, tiny\.tar\.gz") as caught:
        read_cifar(files, PUBLISHED, root=str(tmp_path / "other"))
    assert len(caught.value.message.splitlines()) == 1


def test_where_only_some_files_are_there_the_lacking_one_is_named(made):
    files, root = made
    (root / "tiny-bin" / "two.bin").unlink()
    with pytest.raises(StorageError, match=r"cannot read .*two\.bin: No such file"):
        read_cifar(files, PUBLISHED, root=str(root))


def test_where_nothing_is_there_the_ways_to_supply_it_are_said(made, tmp_path):
    files, _ = made
    with pytest.raises(StorageError, match=r"tiny is not here: there is no tiny-bin/one\.bin or tiny\.tar\.gz"):
        read_cifar(files, PUBLISHED, root=str(tmp_path / "none"))


def test_an_archive_without_a_file_is_a_data_error(made):
    files, root = made
    (root / "tiny-bin" / "last.bin").unlink()
    pack(files, root)
    with pytest.raises(DataError, match=r"holds no tiny-bin/last\.bin"):
        read_cifar(files, PUBLISHED, root=str(root))


def test_a_link_in_the_archive_is_refused(made):
    files, root = made
    with tarfile.open(root / files.archive, "w:gz") as archive:
        link = tarfile.TarInfo(f"{files.folder}/one.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link, io.BytesIO())
    with pytest.raises(DataError, match="is a link to '/etc/passwd'"):
        read_cifar(replace(files, folder="elsewhere"), PUBLISHED, root=str(root))
