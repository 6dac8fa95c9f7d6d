"""Reads what a row says of one medium: a path, bytes, an address. Opens nothing."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, cast, get_args

from manus.data.forms.literals import read_literal
from manus.data.sample import Medium, MediumKind, RowError

KINDS: tuple[MediumKind, ...] = get_args(MediumKind)
# Columns that hold media, by what they hold; the plural is a list.
COLUMNS: dict[MediumKind, tuple[str, ...]] = {
    "image": ("image", "images", "img", "image_path", "image_file", "jpg", "jpeg", "png", "webp"),
    "video": ("video", "videos", "video_path", "video_file", "mp4", "webm"),
    "audio": ("audio", "audios", "audio_path", "audio_file", "speech", "wav", "flac", "mp3"),
}
FILE_NAME = "file_name"  # of folders of media with a metadata file
ENDINGS: dict[MediumKind, frozenset[str]] = {
    "image": frozenset([
        ".avif", ".bmp", ".dib", ".gif", ".ico", ".jfif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png", ".ppm",
        ".qoi", ".tga", ".tif", ".tiff", ".webp",
    ]),
    "video": frozenset([
        ".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm",
        ".wmv",
    ]),
    "audio": frozenset([
        ".aac", ".aif", ".aiff", ".amr", ".au", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg", ".opus",
        ".w64", ".wav", ".wma",
    ]),
}  # fmt: skip
ADDRESSES = ("http://", "https://")
_WRITTEN = (
    "['",
    '["',
    "[{",
    "{'",
    '{"',
    "[null]",
    "[None]",
    "[]",
)  # lists and objects that a table holds as a text
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:[.,]\d+)?)")
BEGINS, ENDS = ("start", "begin", "video_start"), ("end", "stop", "video_end")


def kind_of_file(path: str) -> MediumKind | None:
    """Return what a file's ending says that it is."""
    ending = PurePath(path.split("?")[0]).suffix.lower()
    return next((kind for kind, endings in ENDINGS.items() if ending in endings), None)


def read_reference(value: Any, kind: MediumKind) -> Medium:
    """Return the medium that a value of a row names.

    Takes a path, an address, a data: address, bytes, and mappings with `path`, `url`, `bytes` or base64
    `data`, as Arrow, `datasets` and chat interfaces write them; a mapping may say where the part that is
    meant begins and ends, in seconds.

    Raises:
        RowError: it names none.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return {"kind": kind, "bytes": bytes(value)}
    if isinstance(value, str):
        return _from_text(value, kind)
    if isinstance(value, Mapping):
        return cast(Medium, {**_from_mapping(value, kind), **read_part(value)})
    raise RowError(
        f"a {kind} is a path, bytes or an object with them, not {type(value).__name__}; "
        "read decoded columns with decode=False"
    )


def _from_text(text: str, kind: MediumKind) -> Medium:
    text = text.strip()
    if not text:
        raise RowError(f"the path of the {kind} is empty")
    if text.startswith("data:"):
        head, comma, content = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise RowError(f"a data: address of a {kind} that is not base64")
        return {"kind": kind, "bytes": _from_base64(content, kind)}
    if text.lower().startswith(ADDRESSES):
        return {"kind": kind, "url": text}
    return {"kind": kind, "file": text.removeprefix("file://")}


def _from_mapping(value: Mapping[str, Any], kind: MediumKind) -> Medium:
    content = value.get("bytes")
    if content is not None:
        if not isinstance(content, bytes | bytearray):
            raise RowError(f"the bytes of a {kind} are {type(content).__name__}")
        return {"kind": kind, "bytes": bytes(content)}
    if isinstance(value.get("data"), str):
        return {"kind": kind, "bytes": _from_base64(value["data"], kind)}
    for key in ("path", "url", "file", "file_name", kind):
        if isinstance(value.get(key), str):
            return _from_text(value[key], kind)
    if "array" in value:
        raise RowError(f"a decoded {kind}: give its file's bytes, or read the column with decode=False")
    raise RowError(f"a {kind} with neither path nor bytes: {', '.join(sorted(map(str, value))) or 'empty'}")


def _from_base64(text: str, kind: MediumKind) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise RowError(f"the {kind} is not valid base64: {error}") from None


def read_part(value: Mapping[str, Any]) -> dict[str, float]:
    """Return where in a medium the part that is meant begins and ends, in seconds, as far as it is said.

    Raises:
        RowError: it is not said in numbers.
    """
    found = {}
    for name, keys in (("begin", BEGINS), ("end", ENDS)):
        given = next((value[key] for key in keys if value.get(key) is not None), None)
        if given is None:
            continue
        found[name] = _seconds(given, name)
    return found


def _seconds(given: Any, name: str) -> float:
    """Return seconds, which subtitles write as 1:02:03.5 or 02:03,500."""
    if isinstance(given, str) and (told := _CLOCK.fullmatch(given.strip())):
        hours, minutes, seconds = told.groups(default="0")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(",", "."))
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise RowError(f"{name} of a part is not a number of seconds, nor a time like 01:02:03.5: {given!r}")
    return float(given)


def media_in_columns(row: Mapping[str, Any]) -> list[Medium]:
    """Return the media of a row's columns, pictures first, then videos, then sound.

    A column with one medium may come with columns that say where in it the part begins and ends.

    Raises:
        RowError: two columns have different media of one kind: whether these are several, or one twice, is
            not known.
    """
    found = [medium for kind in KINDS for medium in _of_kind(row, kind)]
    if not found and isinstance(row.get(FILE_NAME), str):
        kind = kind_of_file(row[FILE_NAME])
        if kind is None:
            raise RowError(
                f"{FILE_NAME} {row[FILE_NAME]!r}: its ending does not say whether it is image, video or audio"
            )
        found = [read_reference(row[FILE_NAME], kind)]
    if len(found) == 1 and found[0]["kind"] != "image":
        found[0] = cast(Medium, {**read_part(row), **found[0]})
    return found


def _of_kind(row: Mapping[str, Any], kind: MediumKind) -> list[Medium]:
    """Return the media of a kind; columns that say the same, as a picture and the list of it, count once."""
    listed = {name: _of_column(row[name], kind) for name in COLUMNS[kind] if row.get(name) is not None}
    columns = {name: media for name, media in listed.items() if media}
    if not columns:
        return []
    (first, media), *others = columns.items()
    if other := next((name for name, its_media in others if its_media != media), None):
        raise RowError(
            f"{first!r} and {other!r} both hold {kind}s: say ignore: [{other}] in the source if they are the "
            f"same, else give all of them in one list"
        )
    return media


def _of_column(value: Any, kind: MediumKind) -> list[Medium]:
    if isinstance(value, str) and value.lstrip().startswith(_WRITTEN):
        try:
            value = read_literal(value)
        except ValueError as error:
            raise RowError(f"a {kind} is {error}") from None
    # A mapping of a video's file name with other things is still one medium.
    values = value if isinstance(value, list | tuple) else [value]
    frames = sum(
        isinstance(one, str) and kind_of_file(one) == "image" and not one.lower().endswith(".gif")
        for one in values
    )
    if kind == "video" and frames > 1:
        raise RowError(
            f"a video of {frames} pictures, one by one: give a file of the video, or the pictures in 'images'"
        )
    return [read_reference(one, kind) for one in values if one is not None]


def media_columns(row: Mapping[str, Any]) -> set[str]:
    """Return which columns of a row hold media, or say which file does."""
    names = {column for columns in COLUMNS.values() for column in columns} | {FILE_NAME}
    return {column for column in names if row.get(column) is not None}


def part_columns(row: Mapping[str, Any]) -> set[str]:
    """Return which columns of a row say where in its medium the part that is meant begins and ends."""
    media = {
        column
        for kind in ("video", "audio")
        for column in COLUMNS[kind]  # type: ignore[index]
        if row.get(column) is not None
    }
    is_of_time = media or (
        isinstance(row.get(FILE_NAME), str) and kind_of_file(row[FILE_NAME]) in ("video", "audio")
    )
    return {column for column in (*BEGINS, *ENDS) if is_of_time and row.get(column) is not None}
