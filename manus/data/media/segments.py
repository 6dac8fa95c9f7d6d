"""Makes of a row about one long video or sound a row for each part that has a text of its own. Opens no file.

| shape | columns |
|---|---|
| segments (Whisper, subtitles) | `segments`: a list of `start`, `end`, `text` |
| chunks (transformers) | `chunks`: a list of `timestamp` (start, end), `text` |
| dense captions (ActivityNet) | `timestamps`: a list of [start, end]; `sentences` |

Beside a video the texts of the first two are what is said, unless they are called captions; those of the last
are what is seen. A row with one answer about all of its medium is none of these: its medium stays whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from manus.data.forms.columns import Columns
from manus.data.media.references import BEGINS, ENDS, media_in_columns, read_part
from manus.data.sample import Row, RowError

_TEXTS = ("text", "sentence", "caption", "transcript")
_OWN = ("segments", "chunks", "timestamps", "sentences")
_ASKING = ("question", "messages", "conversations", "conversation", "texts")
SHORTEST_OVERLAP_SECONDS = 0.05  # that two parts which follow each other may have


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a medium, in seconds, and what is said of it; without an end it goes on to the medium's."""

    begin: float
    end: float | None
    text: str


def rows_of_parts(row: Row, clip_seconds: float | None) -> list[Row] | None:
    """Return a row for each part of a row's medium that has a text; None where the row names no parts.

    Args:
        row: with one video or sound.
        clip_seconds: parts that follow each other are joined to clips of at most this length; None: each is
            one.

    Raises:
        RowError: the parts cannot be read, or it is not clear of which medium they are.
    """
    if not isinstance(row, Mapping) or any(row.get(name) is not None for name in _ASKING):
        return None
    given = _given(row)
    if not given or not any(isinstance(one, Mapping) and _text_of(one) is not None for one in given):
        return None
    media = media_in_columns(row)
    if all(medium["kind"] == "image" for medium in media):
        return None
    if len(media) != 1:
        raise RowError(f"the row names parts of one video or sound, and has {len(media)} media")
    parts = [_part(number, one) for number, one in enumerate(given, 1)]
    row = Columns.of(row)
    row.take_all((*_OWN, *BEGINS, *ENDS, "text"))  # Whisper's text is that of all its segments
    left_out = {*_OWN, *_TEXTS, *BEGINS, *ENDS, "captions", "transcription", "description"}
    clips = [part for part in parts if part.text]
    if not clips:
        raise RowError("none of its parts has a text")
    if clip_seconds is not None:
        clips = list(_joined(clips, clip_seconds))
    column = "text" if media[0]["kind"] == "audio" else _column_beside_video(row)
    return [row.replaced(left_out, **_columns_of(clip, column)) for clip in clips]


def _column_beside_video(row: Row) -> str:
    if isinstance(row.get("timestamps"), list) and isinstance(row.get("sentences"), list):
        return "caption"
    are_said = all(one.get("text") is not None or one.get("transcript") is not None for one in _given(row))
    return "transcript" if are_said else "caption"


def _columns_of(clip: Part, column: str) -> dict[str, Any]:
    times = {"start": clip.begin} if clip.end is None else {"start": clip.begin, "end": clip.end}
    return {**times, column: clip.text}


def _given(row: Row) -> list[Any]:
    """Return a row's parts, each as an object with its times and its text."""
    if isinstance(row.get("timestamps"), list) and isinstance(row.get("sentences"), list):
        if len(row["timestamps"]) != len(row["sentences"]):
            raise RowError(f"{len(row['timestamps'])} timestamps for {len(row['sentences'])} sentences")
        told = zip(row["timestamps"], row["sentences"], strict=True)
        return [{"timestamp": times, "text": text} for times, text in told]
    return next((row[name] for name in ("segments", "chunks") if isinstance(row.get(name), list)), [])


def _text_of(given: Mapping[str, Any]) -> Any:
    return next((given[name] for name in _TEXTS if given.get(name) is not None), None)


def _part(number: int, given: Any) -> Part:
    if not isinstance(given, Mapping):
        raise RowError(f"part {number} is {type(given).__name__}, not an object with start, end and text")
    times = given.get("timestamp")
    if isinstance(times, list | tuple) and len(times) == 2:
        given = {**given, "start": times[0], "end": times[1]}
    text = _text_of(given)
    if not isinstance(text, str):
        raise RowError(f"part {number} has no text")
    try:
        span = read_part(given)
    except RowError as error:
        raise RowError(f"part {number}: {error}") from None
    if "begin" not in span or not 0 <= span["begin"] < span.get("end", float("inf")):
        raise RowError(f"part {number} from {span.get('begin')} to {span.get('end')} s is none")
    return Part(span["begin"], span.get("end"), " ".join(text.split()))


def _joined(parts: list[Part], longest: float) -> Iterator[Part]:
    """Join parts that follow each other, as long as they fit; what overlaps or is open stays apart."""
    clip = parts[0]
    for part in parts[1:]:
        follows = clip.end is not None and part.begin >= clip.end - SHORTEST_OVERLAP_SECONDS
        if follows and part.end is not None and part.end - clip.begin <= longest:
            clip = Part(clip.begin, part.end, f"{clip.text} {part.text}")
        else:
            yield clip
            clip = part
    yield clip
