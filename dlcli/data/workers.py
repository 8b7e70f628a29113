"""Processes that decode images ahead of time: torch's DataLoader, kept over epochs, and well behaved towards signals."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch.utils.data import DataLoader

from dlcli.data.reader import Images, Reader, Request, Requests
from dlcli.errors import ComputeError

_AHEAD = 2  # batches that each worker may be ahead


class Loader:
    """The worker processes that the splits of one data set share.

    They start with the first batch and live as long as the loader. Several splits may be read at once: who comes second
    gets workers of its own, for as long as it reads.

    Args:
        workers: processes; with 0 the caller's own decodes.
    """

    def __init__(self, reader: Reader, *, workers: int) -> None:
        self.reader = reader
        self.workers = workers
        self._next_up = _NextUp()
        self._kept: tuple[bool, DataLoader[Any]] | None = None  # pinned, and the loader
        self._user: object | None = None

    def stream(self, requests: Requests, *, pin: bool) -> Iterator[Images]:
        """Yields the images of one request after the other, in page-locked memory with ``pin``.

        Raises:
            ComputeError: a worker died.
        """
        if self.workers == 0:
            for request in requests:
                images = self.reader[request]
                yield images.pin_memory() if pin else images
            return
        if not len(requests):
            return
        token = object()
        try:
            source = self._source(requests, token, pin)
            for number in range(len(requests)):
                images = self._next(source)
                if number == len(requests) - 1:
                    self._release(token)  # before the last batch is used: then the next reader need not wait for ours
                yield images
        finally:
            self._release(token)

    def _source(self, requests: Requests, token: object, pin: bool) -> Iterator[Images]:
        if self._user is not None:
            return _started(self._new(requests, pin=pin, keep=False))
        self._user = token
        if self._kept is None or self._kept[0] != pin:
            self._kept = (pin, self._new(self._next_up, pin=pin, keep=True))
        self._next_up.requests = requests
        return _started(self._kept[1])

    def _new(self, requests: Iterable[Request], *, pin: bool, keep: bool) -> DataLoader[Any]:
        with _more_workers_than_cores():
            return DataLoader(
                self.reader,  # type: ignore[arg-type]
                batch_size=None,  # a request is a batch already
                sampler=requests,
                num_workers=self.workers,
                collate_fn=_as_it_is,
                pin_memory=pin,
                prefetch_factor=_AHEAD,
                persistent_workers=keep,
                worker_init_fn=_start,
                generator=torch.Generator(),  # or each epoch would draw from the global one
            )

    def _next(self, source: Iterator[Images]) -> Images:
        try:
            return next(source)
        except (RuntimeError, EOFError, ConnectionError, FileNotFoundError) as error:
            # The last three: the worker is gone, and with it the socket through which its batch was to come.
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            self._kept = None
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            hint = "fewer workers need less memory (--workers 1), also in /dev/shm; --workers 0 needs none"
            raise ComputeError(f"a loader process died: {reason}", hint=hint) from error

    def _release(self, token: object) -> None:
        if self._user is token:
            self._user = None


@contextmanager
def _more_workers_than_cores() -> Iterator[None]:
    """They are the user's choice; torch warns of them when a loader is made, and again when it starts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        yield


def _started(loader: DataLoader[Any]) -> Iterator[Images]:
    with _more_workers_than_cores(), _signals_held():
        return iter(loader)


@contextmanager
def _signals_held() -> Iterator[None]:
    """What starts meanwhile starts with these signals blocked: none can end a worker before it has said what it makes of them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _NextUp:
    """What the kept workers are to read next; they outlive the requests of one epoch."""

    def __init__(self) -> None:
        self.requests: Iterable[Request] = ()

    def __iter__(self) -> Iterator[Request]:
        return iter(self.requests)


def _as_it_is(images: Any) -> Any:
    return images


def _start(_worker: int) -> None:
    """Runs first in a worker: signals to the whole group are the parent's business, and without a parent there is none."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_obey, args=(parent.pid,), daemon=True).start()
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _obey(parent: int) -> None:
    """Ends the process at a SIGTERM from its parent. Batch systems send it to all processes, and a worker that died of it
    would be an error in the parent, which is about to save."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
