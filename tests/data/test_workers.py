from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from dlcli.data import workers
from dlcli.data.layout import scan
from dlcli.data.reader import Reader, Requests
from dlcli.data.workers import Loader
from dlcli.errors import ComputeError

# Python 3.12 and later warn of every fork of a process with threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def root(photo_folder, tmp_path_factory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("workers"), {"flower": 8, "palace": 8})


@pytest.fixture(scope="module")
def reader(root) -> Reader:
    return Reader(scan(root).files, 16, 3)


@pytest.fixture
def loader(reader) -> Loader:
    return Loader(reader, workers=2)


def requests(*rows: int, size: int = 3) -> Requests:
    return Requests(torch.tensor(rows, dtype=torch.int64), size, 1.0)


def pixels(images) -> torch.Tensor:
    return torch.cat([each.pixels for each in images])


def children() -> set[int]:
    """Processes whose parent is this one."""
    return children_of(os.getpid())


def children_of(parent: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.add(int(path.parent.name))
    return found


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def gone(processes: set[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{process}").exists() and "Z" not in state(process) for process in processes):
            return True
        time.sleep(0.02)
    return False


def state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


def test_workers_bring_the_same_in_the_same_order_as_no_workers(loader, reader):
    wanted = requests(15, 2, 7, 7, 0, 11, 3, 9, size=2)
    alone = pixels(Loader(reader, workers=0).stream(wanted, pin=False))
    assert torch.equal(pixels(loader.stream(wanted, pin=False)), alone)
    assert torch.equal(alone, reader[wanted.rows.tolist(), 1.0].pixels)


def test_nothing_is_started_for_an_empty_request(loader):
    before = len(children())
    assert list(loader.stream(requests(), pin=False)) == []
    assert len(children()) == before


@needs_proc
def test_workers_live_on_from_epoch_to_epoch_and_no_descriptor_leaks(reader):
    before, start = children(), open_files()
    loader = Loader(reader, workers=2)
    workers, descriptors = [], []
    for _ in range(4):
        list(loader.stream(requests(*range(16)), pin=False))
        workers.append(children() - before)
        descriptors.append(open_files())
    assert len(workers[0]) == 2
    assert workers[0] == workers[1] == workers[3]
    assert descriptors[1] == descriptors[3]
    del loader
    gc.collect()
    assert gone(workers[0], 3)
    assert open_files() <= start + 1


def test_a_stream_that_is_left_in_the_middle_does_not_disturb_the_next(loader, reader):
    first = loader.stream(requests(*range(16)), pin=False)
    next(first)
    first.close()
    assert torch.equal(pixels(loader.stream(requests(9, 4), pin=False)), reader[[9, 4], 1.0].pixels)


def test_two_streams_at_once_do_not_mix(loader, reader):
    one = loader.stream(requests(*range(9)), pin=False)
    start = next(one).pixels
    other = pixels(loader.stream(requests(15, 14, 13, 12), pin=False))
    assert torch.equal(torch.cat([start, pixels(one)]), reader[list(range(9)), 1.0].pixels)
    assert torch.equal(other, reader[[15, 14, 13, 12], 1.0].pixels)


@needs_proc
def test_a_reader_that_has_its_last_batch_leaves_the_workers_to_the_next(loader):
    before = children()
    train = loader.stream(requests(0, 1, 2, 3), pin=False)
    next(train), next(train)  # the last one, and the generator is still there, as in the training loop
    list(loader.stream(requests(4, 5), pin=False))
    assert len(children() - before) == 2


def test_the_global_random_state_stays_as_it_is(loader):
    before = torch.random.get_rng_state()
    list(loader.stream(requests(0, 1), pin=False))
    assert torch.equal(torch.random.get_rng_state(), before)


@needs_proc
def test_a_worker_that_is_killed_is_one_clear_error(loader):
    before = children()
    stream = loader.stream(requests(*list(range(16)) * 20, size=1), pin=False)
    next(stream)
    for worker in children() - before:
        os.kill(worker, signal.SIGKILL)
    with pytest.raises(ComputeError, match=r"a loader process died: "):
        list(stream)


START = workers._start
KEPT: list[Loader] = []  # what lives until the end of the process, as in the traceback of an error


def work(root: Path, pipe) -> None:
    """In a process of its own: reads on after two signals to its group, tells what came, and ends with its loader still there."""
    os.setsid()
    came = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: came.append(number))
    loader = Loader(Reader(scan(root).files, 16, 3), workers=2)
    KEPT.append(loader)
    stream = loader.stream(Requests(torch.arange(16).repeat(8), 2, 1.0), pin=False)
    count = len(next(stream).pixels)
    pipe.send("reading")
    deadline = time.monotonic() + 30
    while len(came) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    count += sum(len(images.pixels) for images in stream)
    pipe.send((count, sorted(came)))


@pytest.fixture
def working(root):
    """A process that reads with two workers, and a pipe from it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(root, theirs))
    process.start()
    theirs.close()
    assert ours.poll(20)
    assert ours.recv() == "reading"
    yield process, ours
    process.kill()


@needs_proc
def test_signals_to_the_whole_group_are_for_the_parent_and_a_loader_does_not_hold_up_its_end(working):
    process, pipe = working
    os.killpg(process.pid, signal.SIGINT)
    os.killpg(process.pid, signal.SIGTERM)
    assert pipe.poll(20)
    assert pipe.recv() == (128, [signal.SIGINT, signal.SIGTERM])
    process.join(20)
    assert process.exitcode == 0


@needs_proc
def test_workers_do_not_outlive_a_parent_that_is_killed(working):
    process, _ = working
    workers = children_of(process.pid)
    assert len(workers) == 2
    process.kill()
    assert gone(workers, 3)


@needs_proc
def test_a_worker_starts_with_the_signals_held_and_the_caller_gets_its_own_back(loader):
    before = children()
    own = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    stream = loader.stream(requests(0, 1, size=1), pin=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlcli.data.workers._start", _wait_to_be_signalled)
        next(stream)
    assert children() - before
    assert len(list(stream)) == 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == own


def _wait_to_be_signalled(worker: int) -> None:
    """Stands for a worker that is interrupted before it has done anything; then it starts as always."""
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    START(worker)
