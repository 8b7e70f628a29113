"""Freed memory stays with the process."""

from __future__ import annotations

import sys

import pytest

RESIDENT = """
import sys
from dlcli.cli.memory import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

kept = keep_freed_memory() if sys.argv[1] == "kept" else False
before = resident()
for _ in range(2):
    block = b"1" * (200 << 20)
    del block
print(kept, (resident() - before) >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
@pytest.mark.parametrize(
    ("asked", "environment", "kept"),
    [("kept", {}, True), ("not", {}, False), ("kept", {"MALLOC_TOP_PAD_": "131072"}, False)],
    ids=["kept", "the default", "told otherwise by a variable"],
)
def test_a_large_block_that_was_freed_stays_with_the_process(python, asked, environment, kept):
    said, megabytes = python(RESIDENT, asked, **environment).out.split()
    assert said == str(kept)
    assert (int(megabytes) >= 190) is kept
