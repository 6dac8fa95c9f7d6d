"""Reads captions and transcripts as answers to a request. Opens no medium."""

from __future__ import annotations

import re

from manus.data.forms.columns import Columns, says_nothing
from manus.data.forms.flags import check_row
from manus.data.forms.messages import PAIRS
from manus.data.forms.questions import listed_answers
from manus.data.sample import MediumKind, RowError

_DESCRIPTIONS = ("caption", "captions", "description")
_TRANSCRIPTS = ("transcription", "transcript", "text_normalized", "normalized_text")
_CAPTIONS = (
    "caption", "captions", "text", "transcription", "transcript", "sentence", "text_normalized",
    "normalized_text", "description",
)  # fmt: skip
_ASKING = ("question", "prompt", "instruction", "query")
_QUESTION = "question"
ASKED_OF: dict[MediumKind, str] = {
    "image": "Describe the image.",
    "video": "Describe the video.",
    "audio": "Transcribe the speech.",
}
# What is asked where the column says that the text is of the other sort: a sound described, a picture read.
_DESCRIBED: dict[MediumKind, str] = {**ASKED_OF, "audio": "Describe the sound."}
_TRANSCRIBED: dict[MediumKind, str] = {
    "image": "Read the text in the image.",
    "video": "Transcribe the speech.",
    "audio": "Transcribe the speech.",
}


# Formulas, pages and numbers as people write them, not descriptions.
_WRITTEN = re.compile(
    r"\\[a-zA-Z]+\s*[{(_^]|(?<![A-Za-z_:])\\(?:begin|left|alpha|beta|pi|theta|sum|int)\b"
    r"|\A#{1,6} [^\n]+\n|^\|?(?:[ \t]*:?-{3,}:?[ \t]*\|)+|[\^_] ?\{|\A\S*\d\S*\Z",
    re.MULTILINE,
)

_NOT_TO_BE_SCORED = "ignore_time_segment_in_scoring"  # TED-LIUM's transcript of what nobody wrote down
_WHISPER = re.compile(r"<\|(?:startoftranscript|transcribe|notimestamps|\d+\.\d\d)\|>|<asr_text>")
_NOISE = re.compile(r"\s*(?:\[[^\[\]]*\]|\([^()]*\)|♪+)\s*")
_TIMED = re.compile(r"\d\d:\d\d(?:[.,]\d+)? --> ")
# Code, of which nobody can say what was asked.
_CODE = re.compile(
    r"\A\s*(?:<(?:!DOCTYPE|html|body|table|svg|div)\b|\{\s*\"|\[\s*\{|import \w|from \w+ import|def \w+\(|#include)"
)


def _asked_of(column: str, kind: MediumKind, caption: str) -> str:
    if column in _DESCRIPTIONS:
        return _DESCRIBED[kind]
    is_read = column in _TRANSCRIPTS or (kind == "image" and _WRITTEN.search(caption) is not None)
    return (_TRANSCRIBED if is_read else ASKED_OF)[kind]


def _heard(transcript: str) -> str:
    """Return a transcript with the punctuation that GigaSpeech writes as words.

    Raises:
        RowError: it is one of noise.
    """
    for word, mark in (("comma", ","), ("period", "."), ("questionmark", "?"), ("exclamationpoint", "!")):
        transcript = transcript.replace(f" <{word}>", mark)
    if noise := re.fullmatch(r"\s*<(sil|music|noise|other)>\s*", transcript):
        raise RowError(f"no speech is heard: {noise[0].strip()}")
    return transcript


def captioned(row: Columns, kind: MediumKind, is_part: bool = False) -> tuple[Columns, str | None]:
    """Return a row with a request for its caption, or the row itself where it has none.

    Args:
        row: the row.
        kind: of its medium.
        is_part: whether it is of a part of the medium.

    Raises:
        RowError: nobody can say whether the text is a caption, or a subtitle; it answers no question.
    """
    columns = ((name, listed_answers(row.get(name), "answers")) for name in _CAPTIONS)
    found = ((name, value[0] if isinstance(value, list) and value else value) for name, value in columns)
    column, caption = next(((name, text) for name, text in found if isinstance(text, str)), ("", None))
    if caption is None or any(row.get(a) is not None and row.get(b) is not None for a, b in PAIRS):
        return row, None
    check_row(row, has_choices=True)  # where a label is a class of what is shown
    if other := next(
        (name for name in _ASKING if isinstance(row.get(name), str) and row[name].strip()), None
    ):
        raise RowError(
            f"it has a question in {other!r} and a caption in {column!r}: say columns: {{answer: {column}}} "
            f"in the source if the one answers the other, else ignore: [{other}]"
        )
    if says_nothing(caption.strip()):
        raise RowError(f"{column!r} is {caption.strip()!r}, as programs write it where there is nothing")
    if caption.strip() == _NOT_TO_BE_SCORED:
        raise RowError(f"no speech is heard: {_NOT_TO_BE_SCORED}")
    if column == "text" and kind == "image" and (code := _CODE.search(caption)):
        raise RowError(
            f"'text' begins as code does ({code[0].strip()!r}), and nothing says what is asked: "
            "give it in a column 'question', and the text as 'answer'"
        )
    if kind == "video" and is_part and column == "text":
        raise RowError(
            "'text' of a part of a video may say what is seen, or what is said: "
            "say columns: {caption: text} in the source, or {transcript: text}"
        )
    if column == "text" and kind == "image" and _asked_of(column, kind, caption) == ASKED_OF[kind]:
        row.note(
            "text (taken for a description; say columns: {transcription: text} where it is read from the image)"
        )
    if kind == "audio" and (mark := _WHISPER.search(caption)):
        raise RowError(f"{column!r} holds Whisper's own marks ({mark[0]}): give what is said alone")
    if kind == "audio" and column not in _DESCRIPTIONS:
        if _NOISE.fullmatch(caption):
            row.note(f"{column} (a noise in brackets, learned as what is said)")
        elif _TIMED.search(caption):
            row.note(f"{column} (with times, learned as what is said)")
    row.take(column)
    several = listed_answers(row[column], "answers")
    if isinstance(several, list) and len(several) > 1:
        row.note(f"{column}[1:]")
    if kind == "audio" and caption.isupper():
        caption = _heard(caption.lower())
    kept = {key: row[key] for key in ("level", "system") if row.get(key) is not None}
    return row.derived({_QUESTION: _asked_of(column, kind, caption), "answer": caption, **kept}), caption
