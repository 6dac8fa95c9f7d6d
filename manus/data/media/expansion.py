"""Says how many tokens media become by a model's layout, before tokenisation. Knows nothing of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from manus.data.sample import NEVER_WRITTEN, PLACEHOLDERS, Medium, Message, RowError, Sample

if TYPE_CHECKING:
    from manus.data.media.ablation import MediaReader
    from manus.data.sample import Tokens


class Layout(Protocol):
    """What a model makes of media; `manus.models.omni.layout.MediaLayout` is one.

    It may have `longest_audio_seconds`, beyond which sound is cut into pieces.
    """

    @property
    def senses(self) -> Collection[str]:
        """The kinds of media that the model takes in."""

    def frame_times(self, seconds: float) -> list[float]:
        """Return which frames of a video are used, in seconds from its beginning."""

    def expanded(self, text: str, facts: Sequence[Any]) -> str:
        """Return a text with each placeholder, in order, replaced by what its medium takes."""


@runtime_checkable
class WholeLayout(Protocol):
    """A layout that must see a whole conversation's media to tokenise it, as a base's own processor does."""

    def refuse_unmeant(self, text: str) -> None:
        """Refuse, by a RowError, a text that holds what stands for a medium of this model."""

    def rendered(self, sample: Sample, files: MediaReader) -> Tokens:
        """Return the tokens of a conversation with its media."""

    def renderings(self, sample: Sample, files: MediaReader) -> Iterator[Tokens]:
        """Yield the tokens of a conversation with its media, then those of its turns learned apart."""


class SpokenLayout:
    """The layout of speech that is learned to be said: sound, which becomes no tokens."""

    senses = ("audio",)

    def frame_times(self, seconds: float) -> list[float]:
        """Return no frames: no video is said."""
        return []

    def expanded(self, text: str, facts: Sequence[Any]) -> str:
        """Return the text as it is: nothing stands for what is given out."""
        return text


def in_text(text: str) -> list[str]:
    """Return the placeholders and reserved tokens in a text, in order."""
    return NEVER_WRITTEN.findall(text)


def texts_of(sample: Sample) -> list[str]:
    """Return all texts that are learned from, those of the messages first."""
    texts = [message["content"] for message in sample.get("messages", [])]
    return texts + [
        sample[name]  # type: ignore[literal-required]
        for name in ("text", "rejected")
        if name in sample
    ]


def check_placeholders(sample: Sample) -> None:
    """See to it that a sample's placeholders are its media, no more and no less.

    Raises:
        RowError: a text holds a placeholder that stands for nothing.
    """
    written = [token for text in texts_of(sample) for token in in_text(text)]
    meant = [PLACEHOLDERS[medium["kind"]] for medium in sample.get("media", [])]
    if written != meant:
        extra = next(iter((Counter(written) - Counter(meant)).elements()), None)
        raise RowError(
            f"{extra!r} stands in a text and would be taken for a medium"
            if extra
            else f"its texts have {len(written)} placeholders, in another order than its {len(meant)} media"
        )


def check_senses(sample: Sample, layout: Layout) -> None:
    """See to it that the model takes in what a sample has.

    Raises:
        RowError: it does not.
    """
    lacking = {medium["kind"] for medium in sample.get("media", [])} - set(layout.senses)
    if lacking:
        raise RowError(
            f"the model takes in {', '.join(sorted(layout.senses)) or 'text only'}, not {min(lacking)}"
        )


def expanded(sample: Sample, layout: Layout | None) -> Sample:
    """Return a sample whose placeholders are as long as their media will be; without media, itself.

    The result is for tokenising only. What is kept has one placeholder a medium.
    """
    if layout is None or not sample.get("media"):
        return sample
    media = iter(sample["media"])

    def grown(message: Message) -> Message:
        own: list[Medium] = list(islice(media, len(in_text(message["content"]))))
        return {**message, "content": layout.expanded(message["content"], own)} if own else message

    return {**sample, "messages": [grown(message) for message in sample["messages"]]}
