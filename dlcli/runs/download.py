"""Files from the network: resumed where they were cut, checked against their digest, and whole under their name or not there.

What has come lies in ``NAME.part`` beside its goal, under a lock, until its digest is right. An address that does not
answer costs seconds, not minutes, since nothing is waited for without a limit: not names, not connections, not bytes.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import os
import queue
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from dlcli.data.archive_entries import Limits
from dlcli.data.archives import unpack
from dlcli.data.fetchable import Remote, digest_of, readable
from dlcli.errors import DataError, LockedError, StorageError
from dlcli.runs import platform
from dlcli.runs.folder import TEMPORARY, storage_error

CONNECT_SECONDS = 5.0  # for a connection, and for the next bytes of one
REACH_SECONDS = 6.0  # until one of the addresses answers; a resolver of names may take longer than any connection
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before going on after a cut; then the address is given up, unless bytes came
_CHUNK = 1 << 18
_UNPACKED = 20  # times its size is the most that a published archive may hold
_ROOM = "make room, or name a folder with room that you may write: --to FOLDER"


class _UnusableError(Exception):
    """An address does not give the file; the text says why."""


def download(remote: Remote, goal: Path, *, hint: str, advance: Callable[[int], None] = lambda size: None) -> None:
    """Gets a file from the first of its addresses that has it.

    Args:
        goal: where it is to lie; what lies there is replaced once the new content is whole and right.
        hint: what else can be done where it cannot be had.
        advance: is told how many bytes there are.

    Raises:
        StorageError: no address can be reached or has it, or the disk is full; what came is kept for the next time.
        DataError: an address has something else under this name, and no other has the right one.
        LockedError: another process is getting the same file.
    """
    part = goal.with_name(f"{goal.name}.part")
    try:
        with _locked(part, needed=remote.size) as file:
            transfer = _Transfer(remote, part, file, advance)
            free = platform.free_bytes(part.parent)
            needed = remote.size - transfer.size
            if free is not None and free < needed:
                raise StorageError(f"{part.parent} has {readable(free)} free, {readable(needed)} more are needed", hint=_ROOM)
            transfer.get(hint)
            with _writing(part, needed=remote.size):
                os.fsync(file.fileno())
    except BaseException:
        _without_traces(part)
        raise
    with _writing(goal, needed=remote.size):
        part.replace(goal)
        platform.sync_folder(goal.parent)


def published_size(url: str) -> int:
    """Returns how many bytes an address has. Raises StorageError, within seconds, where it cannot be reached or does not say."""
    host = urlsplit(url).hostname
    try:
        with _answer(url, 0, REACH_SECONDS) as response:
            length = str(response.headers.get("Content-Length"))
    except urllib.error.HTTPError as error:
        error.close()
        raise StorageError(f"{host}: the server says {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise StorageError(f"{host}: {_said(error)}") from error
    if not length.isdecimal() or length == "0":
        raise StorageError(f"{host}: it does not say how long {url.rpartition('/')[2]} is")
    return int(length)


def keep_contents(remote: Remote, archive: Path, folder: Path, *, hint: str) -> None:
    """Puts the files that are kept of an archive below ``folder``, each whole and right or not at all, and removes the archive.

    Raises:
        DataError: the archive is damaged or refused, or holds other files than it should.
        StorageError: the disk.
    """
    temporary = folder / f"{TEMPORARY}unpack-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        unpack(archive, temporary, names=remote.contents, limits=Limits(files=10_000, size=_UNPACKED * remote.size))
        for name, digest in remote.contents.items():
            found = digest_of(temporary / name, like=digest)
            if found != digest:
                raise DataError(f"{name} in {archive} has the digest {found}, expected {digest}", hint=hint)
        with _writing(folder):
            for name in remote.contents:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (temporary / name).replace(folder / name)
                platform.sync_folder((folder / name).parent)
            archive.unlink()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Transfer:
    """A file that is being got: what of it is there already, and how more is added."""

    def __init__(self, remote: Remote, part: Path, file: IO[bytes], advance: Callable[[int], None]) -> None:
        self.remote, self.part, self.file, self.advance = remote, part, file, advance

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return os.fstat(self.file.fileno()).st_size

    def restart(self) -> None:
        """Drops what is there."""
        with _writing(self.part):
            self.file.truncate(0)

    def get(self, hint: str) -> None:
        """Fills the file from the addresses in turn, until its digest is right. Raises StorageError and DataError."""
        reasons, wrong = [], False
        for url in self.remote.urls:
            if self.size > self.remote.size:
                self.restart()
            for _ in range(2 if self.size else 1):  # an older half may not belong to what the address has now
                try:
                    self.fill(url)
                except _UnusableError as error:
                    reasons.append(f"{urlsplit(url).hostname}: {error}")
                    break
                with _writing(self.part):
                    found = digest_of(self.part, like=self.remote.digest)
                if found == self.remote.digest:
                    return
                self.restart()
            else:
                wrong = True
                reasons.append(f"{urlsplit(url).hostname}: its content has the digest {found}, expected {self.remote.digest}")
        said = "\n".join([f"cannot get {self.remote.name} ({readable(self.remote.size)})", *reasons])
        raise DataError(said, hint=hint) if wrong else StorageError(said, hint=hint)

    def fill(self, url: str) -> None:
        """Goes on at the end until the file is as long as it should be. Raises _UnusableError."""
        idle, came = 0, False
        while (have := self.size) < self.remote.size:
            said = "the connection was cut"
            try:
                with _answer(url, have, REACH_SECONDS / len(self.remote.urls)) as response:
                    self.append(response, have)
            except urllib.error.HTTPError as error:
                error.close()
                if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
                    raise _UnusableError(f"the server says {error.code} {error.reason}") from error
                self.restart()  # its file is shorter than what is there
                continue
            except (OSError, http.client.HTTPException) as error:
                said = _said(error)
                if not came and self.size <= have:
                    raise _UnusableError(said) from error
            came = came or self.size > have
            idle = 0 if self.size > have else idle + 1
            if idle > len(PAUSES):
                raise _UnusableError(f"{said}; {readable(have)} of {readable(self.remote.size)} came")
            if self.size < self.remote.size:
                time.sleep(PAUSES[max(idle - 1, 0)])
        if self.size > self.remote.size:
            self.restart()
            raise _UnusableError(f"it gives more than the expected {self.remote.size:,} bytes")
        self.advance(self.remote.size)

    def append(self, response: Any, have: int) -> None:
        """Writes what an answer holds behind what is there, or from the start where the server gives it whole."""
        if response.status != 206 or not str(response.headers.get("Content-Range")).startswith(f"bytes {have}-"):
            length = response.headers.get("Content-Length")
            if response.status == 206 or (length is not None and length != str(self.remote.size)):
                raise _UnusableError(f"it has {length} bytes under this name, expected {self.remote.size:,}")
            if have:
                self.restart()
                have = 0
        self.advance(have)
        while have <= self.remote.size and (chunk := response.read1(_CHUNK)):
            with _writing(self.part, needed=self.remote.size):
                self.file.write(chunk)
                self.file.flush()
            have += len(chunk)
            self.advance(min(have, self.remote.size))


@contextlib.contextmanager
def _locked(part: Path, *, needed: int) -> Iterator[IO[bytes]]:
    """Lends the file of what has come so far, to this process alone. Raises LockedError and StorageError."""
    while True:
        with _writing(part, needed=needed):
            part.parent.mkdir(parents=True, exist_ok=True)
            file = part.open("ab")
        with file:
            with _writing(part):
                free = platform.try_lock(file.fileno())
            if not free:
                raise LockedError(f"another process is getting {part.with_suffix('').name}", hint="wait for it, or stop it")
            # Between opening and locking, another process may have finished and given the file its name.
            if part.exists() and os.path.samestat(part.stat(), os.fstat(file.fileno())):
                yield file
                return


def _without_traces(part: Path) -> None:
    """Where nothing came, nothing stays: no empty file, no empty folder."""
    with contextlib.suppress(OSError):
        if part.stat().st_size == 0:
            part.unlink()
            part.parent.rmdir()


@contextlib.contextmanager
def _writing(path: Path, *, needed: int | None = None) -> Iterator[None]:
    """Turns an OSError about the disk into a StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(storage_error(error, path, needed=needed).message, hint=_ROOM) from error


def _answer(url: str, start: int, seconds: float) -> Any:
    """The open answer to a request for the bytes from ``start`` on. Raises OSError where there is none in so many seconds."""
    headers = {"User-Agent": "dlcli", "Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(url, headers=headers)
    box: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            box.put(urllib.request.urlopen(request, timeout=min(CONNECT_SECONDS, seconds)))
        except Exception as error:  # noqa: BLE001 - it is raised again where it is waited for
            box.put(error)

    # A thread of its own, since looking up a name knows no time limit.
    threading.Thread(target=ask, daemon=True).start()
    try:
        found = box.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None
    if isinstance(found, Exception):
        raise found
    return found


def _said(error: Exception) -> str:
    """Why there was no answer, in a few words."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return str(reason) if str(reason).startswith("no answer") else f"no answer within {CONNECT_SECONDS:.0f} s"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
