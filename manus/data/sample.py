"""The forms that rows of data take inside Manus. Knows nothing of files, capabilities or tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from manus.errors import ManusError, reason_of

Row = Mapping[str, Any]
SampleKind = Literal["messages", "preference", "prompt", "text", "speech"]
MediumKind = Literal["image", "video", "audio"]
# Tokens that stand for media in texts, and those that are kept for what a model will give out.
PLACEHOLDERS: dict[MediumKind, str] = {"image": "<|image|>", "video": "<|video|>", "audio": "<|audio|>"}
RESERVED = ("<|speech|>", "<|draw|>")
PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS.values())))
NEVER_WRITTEN = re.compile(
    "|".join(map(re.escape, (*PLACEHOLDERS.values(), *RESERVED)))
)  # by a user, in a text


Learned = bool | list[tuple[int, int]]


class Message(TypedDict):
    """One turn of a conversation, as chat templates of transformers take it.

    `learn` is False where an assistant's turn is only read, or says which of its characters are learned, as
    first and behind the last; the mark that ends the turn is learned with them.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    learn: NotRequired[Learned]


class Facts(TypedDict):
    """What decides how many tokens a medium becomes.

    Pixels of a picture or video, seconds of a video or sound.
    """

    kind: MediumKind
    width: NotRequired[int]
    height: NotRequired[int]
    seconds: NotRequired[float]


class Medium(Facts):
    """A picture, video or sound in a sample.

    While rows are read it is one of `file` (a path, relative to the data file), `bytes` or `url`, of which
    `begin` and `end` in seconds may cut a part. Once it is kept (`media.store`) it is a `number` with its
    facts and a `digest` of its content.
    """

    file: NotRequired[str]
    bytes: NotRequired[bytes]
    url: NotRequired[str]
    begin: NotRequired[float]
    end: NotRequired[float]
    number: NotRequired[int]
    digest: NotRequired[str]


class Sample(TypedDict):
    """A row in the form that methods train on; `messages` ends with the assistant's turn.

    `text` stands alone (continued pre-training). `rejected` is a worse last turn. `answer` is what a verifier
    compares with; where there is only that, the assistant's turn holds it, and is never learned.
    `tools` are functions as JSON Schema, `calls` the expected `{name, arguments}` in order.
    `level` groups samples in a probe's result. `entry` is a question of reasoning-gym as it made it, as JSON,
    for its own scorer. `media` stand in the contents of messages as PLACEHOLDERS, in the same order.
    `speaker` is who says what an assistant's turn of sound holds; the user's turn is what is said.
    """

    messages: NotRequired[list[Message]]
    text: NotRequired[str]
    rejected: NotRequired[str]
    answer: NotRequired[str]
    tools: NotRequired[list[dict[str, Any]]]
    calls: NotRequired[list[dict[str, Any]]]
    level: NotRequired[str]
    entry: NotRequired[str]
    speaker: NotRequired[str]
    media: NotRequired[list[Medium]]


class RowError(ValueError):
    """A row cannot become a sample; the message is the reason shown in the quarantine."""


class NotLearned(RowError):
    """A row that says of itself that it is not to be learned: it is left aside, and is not bad."""


def of_any_row(read: Callable[[Row], Sample]) -> Callable[[Row], Sample]:
    """Return what reads rows of any shape: whatever is raised over one is the reason why it is none."""

    def reading(row: Row) -> Sample:
        try:
            return read(row)
        except (ManusError, RowError):
            raise
        except Exception as error:
            raise RowError(f"no sample can be made of it: {reason_of(error)}") from error

    return reading


def numbers_of(sample: Sample, turns: int | None = None) -> list[int]:
    """Return the numbers of a sample's kept media, in its placeholders' order; of its first turns, or all."""
    return [medium["number"] for medium in media_of(sample, turns)]


def media_of(sample: Sample, turns: int | None = None) -> list[Medium]:
    """Return the media of a sample, or those that stand in its first turns."""
    media = sample.get("media", [])
    if turns is None or not media:
        return media
    return media[
        : sum(len(PLACEHOLDER.findall(message["content"])) for message in sample["messages"][:turns])
    ]


def prompt_of(sample: Sample) -> list[Message]:
    """Return the turns before the assistant's last one, or all of them where it is still to come."""
    messages = sample.get("messages", [])
    return messages[:-1] if messages and messages[-1]["role"] == "assistant" else messages


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of one sample and, for each, whether the loss counts it.

    `turns` is how many turns of the conversation they show, from its first on; None: all.
    """

    ids: list[int]
    is_learned: list[bool]
    turns: int | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Token ids of a prompt and of two answers to it, the better one first."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A sample of which a model is asked the prompt, and how many tokens that is."""

    sample: Sample
    tokens: int
