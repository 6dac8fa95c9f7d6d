"""Asks a chat template: what it writes, which turns it leaves out, how it asks for an answer and ends one.

What is asked of a template as such is asked once, with turns that are made up. Knows nothing of samples and
of tokens that are learned.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from manus.data.forms.thought_format import CLOSE, OPEN
from manus.data.sample import RowError
from manus.data.tokens.bounded_templates import bound_templates
from manus.errors import ManusError, reason_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Turn = Mapping[str, Any]

# Characters for private use: nobody's text holds one by chance, no template looks for one, none is white
# space.
FIRST_MARK, LAST_MARK = 0xF0000, 0x10FFFD
MADE_UP = ("one", "two")  # what a made-up turn says, before and behind its mark


@dataclass(frozen=True, slots=True)
class Answering:
    """How a template writes an answer: what it puts before its words, and behind them up to the text's end.

    `end` comes in pieces, so that tokens of the vocabulary's own stay whole.
    """

    opening: str
    end: tuple[str, ...]

    @property
    def end_text(self) -> str:
        """All that stands behind an answer that ends the text."""
        return "".join(self.end)

    @property
    def opens_thoughts(self) -> bool:
        """Whether the template puts a thought before an answer that has none."""
        return OPEN in self.opening or CLOSE in self.opening


def rendered(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn], add_generation_prompt: bool) -> str:
    """Return a conversation as the tokenizer's template writes it.

    Raises:
        RowError: the template refuses it.
    """
    with template_at_work():
        text: str = tokenizer.apply_chat_template(
            list(turns), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    return text


@contextlib.contextmanager
def template_at_work() -> Iterator[None]:
    """Let a chat template write one conversation. It is the base's: it may raise anything, or loop for ever.

    How long it may take, its sandbox sees to: what else is done inside, such as decoding media, has its own
    time.

    Raises:
        RowError: it refuses the conversation, or takes too long for it.
        ModelError: it took too long for several.
        Interrupted: a signal asks to stop.
    """
    bound_templates()
    try:
        yield
    except (ManusError, RowError):
        raise
    except Exception as error:
        raise RowError(f"the chat template refuses this conversation: {reason_of(error)}") from None


def placed(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Turn]) -> Sequence[Turn]:
    """Return turns where the template shows them.

    What a system turn says begins the user's first one where it takes no system turns.
    """
    if len(turns) < 2 or turns[0]["role"] != "system" or turns[1]["role"] != "user":
        return turns
    if takes_system(tokenizer):
        return turns
    said, asked = turns[0]["content"], turns[1]["content"]
    if isinstance(said, str) and isinstance(asked, str):
        content: Any = f"{said}\n\n{asked}"
    else:
        content = [*_parts(said), *_parts(asked)]
    return [{**turns[1], "content": content}, *turns[2:]]


def _parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def takes_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether the template shows system turns.

    Where it shows not even a plain question, that is not known to be.
    """
    template = tokenizer.get_chat_template()
    return shown(tokenizer, template, ("system", "user")) == (True, True) or shown(
        tokenizer, template, ("user",)
    ) != (True,)


@lru_cache(maxsize=4096)
def shown(
    tokenizer: PreTrainedTokenizerBase, template: str, roles: tuple[str, ...]
) -> tuple[bool, ...] | None:
    """Tell of each turn of a conversation whether the template writes it; None where it refuses them."""
    text = _made_up(tokenizer, roles, add_generation_prompt=roles[-1] != "assistant")
    return None if text is None else tuple(chr(FIRST_MARK + number) in text for number in range(len(roles)))


@lru_cache(maxsize=4096)
def asking(tokenizer: PreTrainedTokenizerBase, template: str, roles: tuple[str, ...]) -> str | None:
    """Return what a prompt ends with behind the last turn's words.

    None where the template refuses or leaves out that turn.
    """
    text = _made_up(tokenizer, roles, add_generation_prompt=True)
    last = f"{chr(FIRST_MARK + len(roles) - 1)}{MADE_UP[1]}"
    return text.rpartition(last)[2] if text is not None and last in text else None


@lru_cache(maxsize=16)
def answering(tokenizer: PreTrainedTokenizerBase, template: str) -> Answering:
    """Return how the template writes an answer.

    Raises:
        RowError: it refuses a question with its answer, or does not show it.
    """
    text = _made_up(tokenizer, ("user", "assistant"), add_generation_prompt=False)
    mark = chr(FIRST_MARK + 1)
    if text is None or text.count(mark) != 1:
        raise RowError("the chat template does not show the answer as it stands in the data")
    before, _, behind = text.partition(mark)
    if not (before.endswith(MADE_UP[0]) and behind.startswith(MADE_UP[1])):
        raise RowError("the chat template does not show the answer as it stands in the data")
    prompt = _made_up(tokenizer, ("user",), add_generation_prompt=True)
    opens = prompt is not None and before.startswith(prompt)
    opening = before[len(prompt or "") :].removesuffix(MADE_UP[0]) if opens else ""
    end = behind.removeprefix(MADE_UP[1])
    if prompt is not None and text == _made_up(tokenizer, ("user", "assistant"), add_generation_prompt=True):
        end = _without_asking(end, prompt.rpartition(MADE_UP[1])[2])
    return Answering(opening, tuple(_pieces(tokenizer, end)))


def _without_asking(end: str, asked: str) -> str:
    """Return an answer's end without what asks for the next, as templates write it that ask in every text."""
    shared = max((n for n in range(len(end) + 1) if asked.endswith(end[len(end) - n :])), default=0)
    is_asking = bool(end[len(end) - shared :].strip()) and bool(end[: len(end) - shared].strip())
    return end[: len(end) - shared] if is_asking else end


def own_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return the texts that are one token anywhere, as those that end turns are, with their numbers."""
    special = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
    return {**tokenizer.get_added_vocab(), **dict(special)}


def _pieces(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """Cut a text into tokens of the vocabulary's own and what stands between them."""
    own = sorted(own_tokens(tokenizer), key=len, reverse=True)
    pieces = re.split(f"({'|'.join(map(re.escape, own))})", text) if own else [text]
    return [piece for piece in pieces if piece]


def ends_of_answers(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the token that ends an answer as the template writes it, the tokenizer's end of text or not.

    It is the first behind the answer's words that the vocabulary has for itself; a template may write none.
    """
    try:
        end = answering(tokenizer, tokenizer.get_chat_template()).end
    except (RowError, ValueError):  # there is no template, or none for a plain question
        return []
    own = own_tokens(tokenizer)
    return [own[piece] for piece in end if piece in own and piece.strip()][:1]


def opened_thought(prompt: str) -> str:
    """Return the opening of a thought that a prompt ends with, and white space behind: part of the answer."""
    said = prompt.rstrip()
    return prompt[len(said) - len(OPEN) :] if said.endswith(OPEN) else ""


def _made_up(
    tokenizer: PreTrainedTokenizerBase, roles: Sequence[str], add_generation_prompt: bool
) -> str | None:
    """Return what the template writes of a conversation whose turn `n` says MADE_UP with mark `n` in it."""
    turns = [{"role": role, "content": chr(FIRST_MARK + n).join(MADE_UP)} for n, role in enumerate(roles)]
    try:
        return rendered(tokenizer, turns, add_generation_prompt)
    except RowError:
        return None
