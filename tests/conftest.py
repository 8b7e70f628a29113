"""One thread, own runs, own settings for every test; and the command line as a function."""

from __future__ import annotations

import io
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

# Before torch is loaded: thread counts are read once, and two cores are shared by all.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parent.parent
_USERS_OWN = ("DL_TRUST", "DL_DEBUG", "DL_DATA", "HYDRA_FULL_ERROR", "NO_COLOR", "FORCE_COLOR", "_DL_COMPLETE")


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines that say what was wrong and what to type; the line that says what is going on is left out."""
        return [line for line in self.err.splitlines() if "· loading PyTorch …" not in line]


def dl_in_process(*argv: str) -> Answer:
    """Runs ``dl`` in this process, where torch is loaded once."""
    from dlcli.cli.answer import exit_code_of

    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = exit_code_of(argv)
    data = out.buffer
    assert isinstance(data, io.BytesIO)
    return Answer(code, data.getvalue().decode(), err.getvalue())


def python_process(code: str, *argv: str, **environment: str) -> Answer:
    """Runs ``code`` in a fresh Python with ``argv`` as its arguments."""
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in _USERS_OWN:
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    # Hydra's --info opens the root logger wide, and its handlers hold the stderr of the test that made them.
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def dl() -> Callable[..., Answer]:
    """The command line: ``dl("train", "digits") → Answer``."""
    return dl_in_process


@pytest.fixture(scope="session")
def python() -> Callable[..., Answer]:
    """A fresh Python: ``python("import dlcli") → Answer``."""
    return python_process


@pytest.fixture(scope="session")
def _models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with two small models: ``digits`` (convolutional, the newest) and ``flat`` (an MLP)."""
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(root))
        for extra in (("model=mlp", "--name", "flat"), ()):
            answer = dl_in_process("train", "digits", "--epochs", "2", "--quiet", *extra)
            assert answer.code == 0, answer.err
    return root


@pytest.fixture
def runs(_models: Path, tmp_path: Path) -> Path:
    """The current runs folder, holding a copy of the two small models."""
    return Path(shutil.copytree(_models, tmp_path / "runs"))
