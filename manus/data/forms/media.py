"""Recognises the shapes of rows with media that users have. Opens no file, knows nothing of capabilities.

| shape | columns |
|---|---|
| chat (transformers, OpenAI) | `messages` whose `content` is a list of parts: text, image, video, audio |
| chat (TRL) | the same with bare parts `{"type": "image"}`, and `images` |
| LLaVA | `conversations` with `<image>`, `<video>`, `<audio>` marks, and `image`, `video`, `audio` |
| the Cauldron | `images`, `texts` of `user`, `assistant`: a row for each text |
| questions | a medium, and `question`, `answer` or any pair of `manus.data.forms.messages` |
| prompt and completion (TRL) | lists of such turns, and `images` |
| captions, transcripts | a medium, and `caption`, `text`, `transcription`, ... |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from manus.data.forms.captions import captioned
from manus.data.forms.columns import IDENTIFYING, Columns, is_empty
from manus.data.forms.doubts import note_places
from manus.data.forms.flags import DETAILS
from manus.data.forms.joined_prompts import joined
from manus.data.forms.messages import ANSWERS, CONVERSATIONS, as_messages
from manus.data.forms.questions import answer_text, choices_of, listed, listed_answers, note_keys
from manus.data.forms.service_forms import as_chat
from manus.data.forms.unread_media import LEFT, is_medium
from manus.data.media.expansion import check_placeholders, in_text
from manus.data.media.references import (
    media_columns,
    media_in_columns,
    part_columns,
    read_part,
    read_reference,
)
from manus.data.sample import PLACEHOLDERS, Medium, MediumKind, Message, Row, RowError, Sample

_MARK = re.compile(r"<(image|video|audio)>")
_LEADING = re.compile(r"(?:\s*<(?:image|video|audio)>)*")
# Marks of models and trainers, which say where a medium stands, and are none of ours.
_FOREIGN = re.compile(
    r"<\|(?:image|video|audio)_\d+\|>"
    r"|<\|(?:vision_start|image_pad|video_pad|audio_bos|audio_pad|AUDIO|IMAGE|VIDEO)\|>|\[IMG\]|&lt;(?:image|video|audio)&gt;"
    r"|<(?:ImageHere|IMG_CONTEXT|image_soft_token|start_of_image"
    r"|(?:image|video|audio)_placeholder|AUDIO|IMAGE|VIDEO|Audio|Image|Video)>"
    r"|(?:\./|(?<=\|>))</(?:image|video|audio)>|^[ \t]*<(?:img|vid|speech|sound)>",
    re.MULTILINE,
)
_ANSWERS = (*ANSWERS, "multiple_choice_answer")
_QUESTION = "question"
_OF_MEDIA = frozenset(["image_id", "video_id", "audio_id"])
_OF_WORDS = frozenset(["role", "from", "content", "value", "id", "name"])  # of turns: what names no medium
_TEXT_KEYS = {"user", "assistant", "source"}
_PART_KINDS: dict[str, MediumKind] = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "video": "video",
    "video_url": "video",
    "audio": "audio",
    "audio_url": "audio",
    "input_audio": "audio",
}
_BARE_KEYS = frozenset(
    [
        "type",
        "text",
        "index",
        "detail",
        "format",
        "cache_control",
        "min_pixels",
        "max_pixels",
        "resized_height",
        "resized_width",
        "fps",
        "nframes",
        "max_frames",
    ]
)
_PART_KEYS = ("path", "url", "bytes", "file", "data")


def as_media_messages(row: Row) -> Sample:
    """Return the conversation in a row, with its media; without any, as `manus.data.forms.messages` reads it.

    Captions and transcripts become the answer to a request; shouted transcripts are written small. Where a
    row has one answer, the sample has it as `answer`.

    Raises:
        RowError: no known shape; a text holds a placeholder's name; the media are not where the row says.
    """
    if not isinstance(row, Mapping):
        return as_messages(row)
    row = joined(as_chat(Columns.of(row)))
    column = next((key for key in CONVERSATIONS if row.get(key) is not None), None)
    sample = _conversation(row, column) if column else _pair(row)
    # What follows the last answer was dropped, and its media with it.
    stay = sum(len(in_text(message["content"])) for message in sample["messages"])
    sample["media"] = sample.get("media", [])[:stay]
    check_placeholders(sample)
    _check_turns(sample)
    note_places(row, sample)
    if not sample["media"]:
        for name in _OF_MEDIA & row.keys():  # of one that is not there
            row.note(name)
        _refuse_unknown_columns(row)
        del sample["media"]
    return sample


def _refuse_unknown_columns(row: Columns) -> None:
    """Refuse a row whose only media stand in columns not known to hold any: it would be learned blind."""
    for column in CONVERSATIONS:
        turns = listed(row.get(column), column)
        for turn in turns if isinstance(turns, list | tuple) else ():
            beside = turn.keys() - _OF_WORDS if isinstance(turn, Mapping) else set()
            if name := next((key for key in beside if is_medium(turn[key], by_name=False)), None):
                raise RowError(
                    f"{column}[].{name} holds a medium, and is not known to: give it in a column of the "
                    "row, or as a part of the content"
                )
    if found := next(
        (name for name in row if name not in IDENTIFYING - _OF_MEDIA and is_medium(row[name], by_name=False)),
        None,
    ):
        raise RowError(
            f"{found!r} holds a medium, and is not known to: "
            f"say columns: {{image: {found}}} in the source (or video, or audio), or ignore: [{found}]"
        )


def _check_turns(sample: Sample) -> None:
    """Refuse what no model could learn: media that it would have to say, and marks that stand for none."""
    for number, message in enumerate(sample["messages"], 1):
        if message["role"] == "assistant" and message.get("learn", True) and in_text(message["content"]):
            raise RowError(
                f"turn {number} (assistant) holds media, which a model that answers in text cannot say"
            )
        if message["role"] == "assistant":
            continue
        if mark := LEFT.search(message["content"]):
            raise RowError(
                f"turn {number} ({message['role']}) shows a medium by {mark[0].strip()!r}, "
                "which the row does not have"
            )
        if sample.get("media") and (mark := _FOREIGN.search(message["content"])):
            raise RowError(
                f"turn {number} ({message['role']}) has {mark[0]!r}, a mark of another model's for a medium; "
                "write <image>, <video> or <audio> where it stands"
            )


def rows_within(row: Row) -> list[Row]:
    """Return the rows that a row with several texts about its media stands for; mostly the row itself."""
    texts = row.get("texts") if isinstance(row, Mapping) else None
    if not isinstance(texts, list) or any(row.get(key) is not None for key in CONVERSATIONS):
        return [row]
    if (
        not all(isinstance(text, Mapping) and {"user", "assistant"} <= text.keys() for text in texts)
        or not texts
    ):
        return [row]
    row = Columns.of(row)
    row.take("texts")
    for key in {key for text in texts for key in text if not is_empty(text[key])} - _TEXT_KEYS:
        row.note(f"texts[].{key}")
    return [row.replaced(("texts",), question=text["user"], answer=text["assistant"]) for text in texts]


def _conversation(row: Columns, column: str) -> Sample:
    turns = listed(row[column], column)
    if not isinstance(turns, list | tuple):
        return as_messages(row)
    row.take(column)
    placed = _Placed(_media_of(row))
    rewritten = [placed.turn(turn) if isinstance(turn, Mapping) else turn for turn in turns]
    if placed.pending:
        rewritten = _with_the_first_question(rewritten, placed)
    sample = as_messages(row.replaced(media_columns(row), **{column: rewritten}))
    return {**sample, "media": placed.media}


def _media_of(row: Columns) -> list[Medium]:
    """Return the media of a row's columns, which are read then."""
    row.take_all(media_columns(row) | part_columns(row))
    return media_in_columns(row)


class _Placed:
    """Replaces what stands for media in turns by placeholders, and remembers which media they are."""

    def __init__(self, pending: list[Medium]) -> None:
        self.pending, self.media = list(pending), list[Medium]()
        self.is_films = bool(pending) and all(medium["kind"] == "video" for medium in pending)

    def turn(self, turn: Mapping[str, Any]) -> dict[str, Any]:
        key = next((key for key in ("content", "value") if turn.get(key) is not None), None)
        if key is None:
            return dict(turn)
        content = turn[key]
        if isinstance(content, str):
            marked = self._marked(content)
            if marked != content and any(turn.get(name) is not None for name in DETAILS):
                raise RowError("a turn says which of its characters are learned, but media are put into it")
            return {**turn, key: marked}
        if isinstance(content, list) and all(
            isinstance(part, Mapping) and "type" in part for part in content
        ):
            return {**turn, key: [self._part(part) for part in content]}
        return dict(turn)

    def _marked(self, text: str) -> str:
        _refuse_placeholders(text)
        if not self.pending:
            return text
        return _MARK.sub(lambda match: self._take(match[1]), text)  # type: ignore[arg-type]

    def _part(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        kind = _PART_KINDS.get(part["type"])
        if kind is None:
            text = part.get("text")
            return {**part, "text": self._marked(text)} if isinstance(text, str) else part
        value = next(
            (part[key] for key in (part["type"], kind, f"{kind}_url", "source") if part.get(key) is not None),
            None,
        )
        if value is None and any(part.get(key) is not None for key in _PART_KEYS):
            value = part
        if value is None:
            return {"type": "text", "text": self._bare(part, kind)}
        self.media.append(cast(Medium, {**read_reference(value, kind), **read_part(part)}))
        return {"type": "text", "text": PLACEHOLDERS[kind]}

    def _bare(self, part: Mapping[str, Any], kind: MediumKind) -> str:
        """Return the placeholder of a part that takes its medium from the row's columns, in order."""
        unknown = {key for key, value in part.items() if value is not None} - _BARE_KEYS
        if unknown:
            raise RowError(
                f"a content part of type {part['type']!r} names its medium by {min(unknown)!r}, "
                "which is not known"
            )
        taken = sum(medium["kind"] == kind for medium in self.media)
        if part.get("index") not in (None, taken):
            raise RowError(
                f"a content part is {kind} number {part['index']} of the row, and stands as number {taken}"
            )
        return self._take(kind)

    def _take(self, kind: MediumKind) -> str:
        if self.is_films and kind == "image":  # LLaVA-Video's mark of a clip
            kind = "video"
        place = next((index for index, medium in enumerate(self.pending) if medium["kind"] == kind), None)
        if place is None:
            raise RowError(f"the conversation has more places for {kind} than the row has media of that kind")
        self.media.append(self.pending.pop(place))
        return PLACEHOLDERS[kind]


def _with_the_first_question(turns: list[Any], placed: _Placed) -> list[Any]:
    """Put media that no turn names before the first question."""
    for index, turn in enumerate(turns):
        role = str(turn.get("role") or turn.get("from")) if isinstance(turn, Mapping) else ""
        key = next((key for key in ("content", "value") if isinstance(turn, Mapping) and turn.get(key)), None)
        if role.lower() in ("user", "human") and key is not None:
            if placed.media:
                raise RowError(f"{len(placed.pending)} of the row's media have no place in its conversation")
            marks = _heads(placed.pending)
            placed.media = placed.pending
            content = turn[key]
            grown = (
                f"{marks}\n{content}"
                if isinstance(content, str)
                else [{"type": "text", "text": marks}, *content]
            )
            return [*turns[:index], {**turn, key: grown}, *turns[index + 1 :]]
    raise RowError("the row has media, but no question that they belong to")


def _heads(media: list[Medium]) -> str:
    return "\n".join(PLACEHOLDERS[medium["kind"]] for medium in media)


def _refuse_placeholders(text: str) -> None:
    if found := in_text(text):
        raise RowError(f"{found[0]!r} stands in a text and would be taken for a medium")


def _pair(row: Columns) -> Sample:
    media = _media_of(row)
    if not media:
        return as_messages(row)
    for value in row.values():
        if isinstance(value, str):
            _refuse_placeholders(value)
    rest = row.replaced(media_columns(row))
    answered = next((name for name in _ANSWERS if row.get(name) is not None), None)
    given = listed_answers(row[answered], answered) if answered else None
    answer = answer_text(given) if answered else None
    if isinstance(rest.get(_QUESTION), str) and (choices := choices_of(rest, _QUESTION)) is not None:
        if any(is_medium(text, by_name=False) for text in choices.texts):
            raise RowError(
                f"{choices.columns[0]!r} holds media to choose from, of which only the names would be learned"
            )
        answer = ""  # as the choice is written
    elif answered and answer is not None and isinstance(rest.get(_QUESTION), str):
        row.take(answered)
        note_keys(row, answered, given)
        rest = rest.replaced(_ANSWERS, answer=answer)
    else:
        rest, answer = captioned(rest, media[0]["kind"], is_part=bool({"begin", "end"} & media[0].keys()))
    sample = as_messages(rest)
    sample["messages"] = _with_media(sample["messages"], media)
    sample["media"] = media
    if answer is not None:
        sample["answer"] = sample["messages"][-1]["content"]
    return sample


def _with_media(messages: list[Message], media: list[Medium]) -> list[Message]:
    """Return turns with media where their marks stand.

    Without marks, or where these begin the first question, media stand before it.

    Raises:
        RowError: there are not as many marks as media, or they name other kinds.
    """
    first = next(place for place, message in enumerate(messages) if message["role"] == "user")
    content = messages[first]["content"]
    marks = [mark for message in messages for mark in _MARK.findall(message["content"])]
    leading = _LEADING.match(content)
    begins = _MARK.findall(leading[0]) if leading else []
    if marks and marks != [medium["kind"] for medium in media]:
        raise RowError(
            f"its texts show {', '.join(marks)}, "
            f"and the row has {', '.join(medium['kind'] for medium in media)}"
        )
    if begins == marks:
        text = f"{_heads(media)}\n{content[leading.end() if leading else 0 :].strip()}"
        return [*messages[:first], {**messages[first], "content": text}, *messages[first + 1 :]]
    return [
        {
            **message,
            "content": _MARK.sub(
                lambda mark: PLACEHOLDERS[mark[1]],  # type: ignore[index]
                message["content"],
            ),
        }
        for message in messages
    ]
