from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlcli.data.layout import scan
from dlcli.data.memory import MemorySplit
from dlcli.data.reader import Reader
from dlcli.data.stream import StreamSplit
from dlcli.data.workers import Loader
from dlcli.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def reader(photo_folder, tmp_path_factory) -> Reader:
    return Reader(scan(photo_folder(tmp_path_factory.mktemp("stream"), {"flower": 7, "palace": 6})).files, 24, 3)


@pytest.fixture(scope="module", params=[0, 2], ids=["no workers", "two workers"])
def split(request, reader) -> StreamSplit:
    """The files in the order 12 … 0, so that positions and rows differ."""
    rows = torch.arange(12, -1, -1)
    return StreamSplit(Loader(reader, workers=request.param), rows, reader.files.targets[rows])


@pytest.fixture(scope="module")
def in_memory(reader) -> MemorySplit:
    """The same examples, held in memory."""
    rows = torch.arange(12, -1, -1)
    return MemorySplit(reader.read(rows, 1.0).pixels.permute(0, 3, 1, 2), reader.files.targets[rows])


def collected(split, order, size: int) -> list:
    return list(split.batches(torch.tensor(order), size))


@pytest.mark.parametrize("order", [[0], [3, 1, 2], [12, 0, 5, 5, 7, 2, 9]], ids=["one", "three", "seven with one twice"])
def test_batches_are_those_of_the_same_data_in_memory(split, in_memory, order):
    ours, theirs = collected(split, order, 3), collected(in_memory, order, 3)
    assert [len(batch.targets) for batch in ours] == [len(batch.targets) for batch in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)
        assert torch.equal(one.index, other.index)
        assert one.inputs.dtype == torch.float32
        assert one.inputs.is_contiguous(memory_format=torch.channels_last)


def test_an_epoch_that_starts_in_the_middle_has_the_batches_of_the_whole_from_there_on(split):
    order = torch.randperm(13, generator=torch.Generator().manual_seed(0))
    whole, rest = list(split.batches(order, 4)), list(split.batches(order[8:], 4))
    assert all(torch.equal(one.inputs, other.inputs) for one, other in zip(whole[2:], rest, strict=True))


def test_only_what_is_asked_for_is_read(split, monkeypatch, reader, tmp_path):
    # All other files could be gone.
    (tmp_path / "flower").mkdir()
    kept = reader.files.name(2)
    (tmp_path / kept).write_bytes(Path(reader.files.path(2)).read_bytes())
    monkeypatch.setattr(reader.files, "root", str(tmp_path))
    alone = StreamSplit(Loader(reader, workers=split.loader.workers), torch.arange(13), reader.files.targets)
    assert len(collected(alone, [2, 2], 1)) == 2


def test_a_part_of_a_part_keeps_its_index_and_shares_the_workers(split, in_memory):
    rows, again = torch.tensor([9, 4, 2]), torch.tensor([2, 0])
    part = split.select(rows).select(again)
    assert part.index.tolist() == [2, 9]
    assert part.loader is split.loader
    assert torch.equal(part.targets, in_memory.select(rows).select(again).targets)
    assert torch.equal(collected(part, [1], 1)[0].inputs, collected(in_memory, [9], 1)[0].inputs)


def test_val_and_test_may_keep_the_middle_only(reader):
    loader = Loader(reader, workers=0)
    whole, middle = (StreamSplit(loader, torch.arange(3), reader.files.targets[:3], crop=crop) for crop in (1.0, 0.5))
    cropped = collected(middle.select(torch.tensor([1])), [0], 1)[0].inputs
    assert torch.equal(cropped[0], reader.read(torch.tensor([1]), 0.5).pixels[0].permute(2, 0, 1).float() / 255)
    assert not torch.equal(cropped, collected(whole, [1], 1)[0].inputs)


def test_a_file_that_breaks_during_training_is_named(photo_folder, tmp_path):
    root = photo_folder(tmp_path, {"flower": 2, "palace": 2})
    files = scan(root).files
    (root / "palace" / "001.jpg").write_bytes(b"cut")
    for workers in (0, 1):
        broken = StreamSplit(Loader(Reader(files, 8, 3), workers=workers), torch.arange(4), files.targets)
        batches = broken.batches(torch.arange(4), 2)
        next(batches)
        with pytest.raises(DataError, match=r"palace/001\.jpg is no image that can be read") as caught:
            next(batches)
        assert "\n" not in caught.value.message


def test_moving_keeps_the_examples_and_the_workers(split):
    moved = split.to(torch.device("cpu"))
    assert (len(moved), moved.loader) == (13, split.loader)
    assert torch.equal(moved.targets, split.targets)


def test_a_batch_size_below_one_is_refused(split):
    with pytest.raises(ValueError, match="the batch size must be at least 1, got 0"):
        collected(split, [0], 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="page-locked memory needs a GPU")
def test_batches_for_a_gpu_are_made_from_page_locked_memory(reader, in_memory):
    split = StreamSplit(Loader(reader, workers=2), torch.arange(12, -1, -1), reader.files.targets.flip(0))
    on_gpu = split.to(torch.device("cuda"))
    assert all(images.pixels.is_pinned() for images in on_gpu.read(torch.arange(5), 2))
    batch = collected(on_gpu, [3, 1], 2)[0]
    assert {batch.inputs.device.type, batch.targets.device.type, batch.index.device.type} == {"cuda"}
    assert torch.allclose(batch.inputs.cpu(), collected(in_memory, [3, 1], 2)[0].inputs, atol=1e-6)
