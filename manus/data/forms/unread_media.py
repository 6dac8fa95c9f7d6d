"""Finds media in rows that are read as text alone, so that none is dropped without a word. Opens nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from manus.data.media.references import ADDRESSES, COLUMNS, FILE_NAME, kind_of_file
from manus.data.sample import MediumKind, Message, Row, RowError, Sample, SampleKind

_KEYS = ("bytes", "path", "url")
LONGEST_PATH = 4096
# Marks as they stand where a medium does, which words about marks of HTML do not: numbered, at an edge, or
# with a path.
LEFT = re.compile(
    r"<(?:image|video|audio)[ _-]?\d+>|\A\s*<(?:image|video|audio)>(?=\w)"
    r"|^[ \t]*<(?:image|video|audio)>[ \t]*$"
    r"|(?<=[\w.?!])<(?:image|video|audio)>\s*\Z|<(img|audio|video)>[^<>\s]+\.\w+</\1>",
    re.MULTILINE,
)


def media_in(row: Any) -> dict[MediumKind, str]:
    """Return which kinds of media a row's columns hold, with the first column of each.

    A column that is only called like one, as one of speeches is, does not count.
    """
    if not isinstance(row, Mapping):
        return {}
    found: dict[MediumKind, str] = {}
    for kind, columns in COLUMNS.items():
        named = next((name for name in columns if row.get(name) is not None and is_medium(row[name])), None)
        if named is not None:
            found[kind] = named
    file = row.get(FILE_NAME)
    if not found and isinstance(file, str) and (of_file := kind_of_file(file)):
        found[of_file] = FILE_NAME
    return found


def is_medium(value: Any, by_name: bool = True) -> bool:
    """Return whether a value is a medium, or a list with one: bytes, an address, or a medium's file name.

    Args:
        value: of a column.
        by_name: whether the column is called like one; else addresses do not count, nor do names that may be
            of other files.
    """
    if isinstance(value, list | tuple):
        return any(is_medium(one, by_name) for one in value)
    if isinstance(value, Mapping):
        return any(is_medium(value[key], by_name) for key in _KEYS if value.get(key) is not None)
    if not by_name and isinstance(value, str):
        is_file = (
            len(value) <= LONGEST_PATH
            and not value.lower().endswith(".ts")
            and kind_of_file(value) is not None
        )
        is_path = is_file and not any(map(str.isspace, value)) and not value.lower().startswith(ADDRESSES)
        return is_path or value.startswith(("data:image/", "data:video/", "data:audio/"))
    if isinstance(value, bytes | bytearray):
        return len(value) > 0
    if not isinstance(value, str) or len(value) > LONGEST_PATH:
        return isinstance(value, str) and value.startswith("data:")
    return value.startswith("data:") or value.lower().startswith(ADDRESSES) or kind_of_file(value) is not None


def minding_media(read: Callable[[Row], Sample], kind: SampleKind) -> Callable[[Row], Sample]:
    """Return a reader that refuses rows whose text cannot be understood without media that it does not read.

    Args:
        read: a row as a sample.
        kind: what the samples are.
    """

    def read_minding(row: Row) -> Sample:
        found = media_in(row)
        if kind == "preference" and found:
            medium, column = next(iter(found.items()))
            raise RowError(
                f"it has a medium ({medium}, in {column!r}), and preferences are learned from text alone: "
                "leave the column out where the texts do without it, "
                "or teach what is seen and heard by lora or sft"
            )
        sample = read(row)
        if not sample.get("media"):
            for medium, column in found.items():
                if _refers_to(sample, medium):
                    raise RowError(
                        f"its text shows the {medium} in {column!r} by <{medium}>, "
                        "and this capability reads text alone; give the row to one with that sense"
                    )
            if mark := next(filter(None, map(_mark_of, sample.get("messages", []))), None):
                raise RowError(f"its text shows a medium by {mark!r}, which the row does not have")
        return sample

    return read_minding


def _mark_of(message: Message) -> str | None:
    """Return by which mark a question shows a medium; elements of HTML are closed, and show none."""
    found = LEFT.search(message["content"]) if message["role"] == "user" else None
    is_element = found is not None and found[0].strip().replace("<", "</") in message["content"]
    return found[0].strip() if found and not is_element else None


def _refers_to(sample: Sample, kind: MediumKind) -> bool:
    mark = re.compile(rf"<{kind}>")
    return any(mark.search(message["content"]) for message in sample.get("messages", []))
