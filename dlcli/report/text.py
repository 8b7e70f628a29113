"""Foreign text (class names, paths, captions) made fit for a terminal or a figure."""

from __future__ import annotations

import re

# C0, DEL and C1 controls; Arabic letter mark, direction marks, embeddings, overrides and isolates; line and paragraph
# separators; zero-width no-break space; lone surrogates, which no encoding can write.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def safe(text: str) -> str:
    r"""Returns ``text`` on one line with control, bidirectional and unwritable characters as visible escapes (``\x1b``).

    So a class name can neither drive the terminal nor reorder what stands around it. Rich markup stays as it is: show
    the result as ``rich.text.Text``, never as a markup string.
    """
    return _UNSAFE.sub(_escape, text)


def cell(text: str) -> str:
    """Returns foreign text for a CSV file: what a spreadsheet would take for a formula gets an apostrophe in front."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def shorten(text: str, length: int) -> str:
    """Returns ``safe(text)``, cut to ``length`` characters with an ellipsis as the last one."""
    shown = safe(text)
    return shown if len(shown) <= length else shown[: max(length - 1, 0)] + "…"
