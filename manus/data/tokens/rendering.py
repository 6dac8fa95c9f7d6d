"""Turns samples into token ids and marks which of them are learned. Knows nothing of files or models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from manus.data.sample import Message, Pair, RowError, Sample, Tokens
from manus.errors import ManusError, ModelError, reason_of
from manus.guards.patience import Patience

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerBase

PATIENCE = Patience(seconds=20.0, times=3)  # with chat templates: usual ones take a millisecond

Spans = Sequence[tuple[int, int]]  # of characters: where each begins and ends


def render_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Any]) -> str:
    """Return the text that stands before the assistant's next words."""
    return _render(tokenizer, messages, add_generation_prompt=True)


def render(tokenizer: PreTrainedTokenizerBase, sample: Sample) -> Tokens:
    """Tokenise one sample. In a chat the assistant's turns are learned, in a text everything.

    A template may rewrite earlier turns (some drop their thinking); then only the last turn is learned.

    Raises:
        RowError: the template refuses the conversation, or leaves nothing to learn.
    """
    if "text" in sample:
        ids = tokenizer(sample["text"], add_special_tokens=True)["input_ids"]
        if not ids or ids[-1] != tokenizer.eos_token_id:
            ids = [*ids, tokenizer.eos_token_id]
        return Tokens(ids, [True] * len(ids))
    text, spans = written(tokenizer, sample["messages"])
    return marked(encode(tokenizer, text), spans, len(text))


def written(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Any]) -> tuple[str, Spans]:
    """Return a conversation as the template writes it, and where in it the assistant speaks.

    Args:
        tokenizer: one with a chat template.
        messages: turns; contents are texts, or parts where the template takes them.

    Raises:
        RowError: the template refuses the conversation, or does not show the answer.
    """
    with template_at_work():
        text = _render(tokenizer, messages, add_generation_prompt=False)
        return text, _answer_spans(tokenizer, messages, text)


def marked(encoding: Encoding, spans: Spans, end: int) -> Tokens:
    """Return the tokens of a text of `end` characters, learned where they share a character with a span.

    Raises:
        RowError: there is nothing to learn.
    """
    is_learned = _within(encoding, spans, end)
    if not any(is_learned):
        raise RowError("the chat template leaves nothing of the answer to learn")
    return Tokens(encoding.ids, is_learned)


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> Encoding:
    """Tokenise a text as it stands, without special tokens; far less around it than the tokenizer's own call has."""
    backend: Tokenizer = tokenizer.backend_tokenizer  # type: ignore[attr-defined]
    if backend.padding is not None:
        backend.no_padding()
    if backend.truncation is not None:
        backend.no_truncation()
    return backend.encode(text, add_special_tokens=False)


def _within(encoding: Encoding, spans: Spans, end: int) -> list[bool]:
    """Tell for each token whether it shares a character with a span.

    Asks for the tokens at the edges; all offsets are looked at only where an edge has none (a normalizer took it away).
    """
    is_learned = [False] * len(encoding)
    for a, b in spans:
        first = encoding.char_to_token(a)
        after = len(encoding) if b == end else encoding.char_to_token(b)
        if first is None or after is None:
            return _within_by_offsets(encoding, spans)
        if b < end and (there := encoding.token_to_chars(after)) and there[0] < b:
            after += 1
        is_learned[first:after] = [True] * (after - first)
    return is_learned


def _within_by_offsets(encoding: Encoding, spans: Spans) -> list[bool]:
    begins, ends = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2).T
    is_learned = np.zeros(len(begins), dtype=bool)
    for a, b in spans:
        is_learned |= (begins < b) & (a < ends) & (begins < ends)
    marks: list[bool] = is_learned.tolist()
    return marks


def render_pair(tokenizer: PreTrainedTokenizerBase, sample: Sample) -> Pair:
    """Tokenise a prompt with its chosen and its rejected answer. The prompt ends where the three of them part.

    Raises:
        RowError: the template refuses the conversation, or both answers are the same to it.
    """
    prompt = sample["messages"][:-1]
    asked = tokenizer(render_prompt(tokenizer, prompt), add_special_tokens=False)["input_ids"]
    answers: list[Message] = [sample["messages"][-1], {"role": "assistant", "content": sample["rejected"]}]
    texts = [_render(tokenizer, [*prompt, answer], add_generation_prompt=False) for answer in answers]
    chosen, rejected = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
    if chosen == rejected:
        raise RowError("the chosen and the rejected answer are the same")
    shared = min(_common(asked, chosen), _common(asked, rejected))
    return Pair(chosen[:shared], chosen[shared:], rejected[shared:])


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with in common."""
    unlike = (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(unlike, min(len(one), len(other)))


def _answer_spans(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Any], text: str) -> Spans:
    """Return where in the rendered text the assistant speaks, end-of-turn mark included."""
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _render(tokenizer, messages[:index], add_generation_prompt=True)
        is_last = index == len(messages) - 1
        after = text if is_last else _render(tokenizer, messages[: index + 1], add_generation_prompt=False)
        if text.startswith(before) and text.startswith(after):
            spans.append((len(before), len(after)))
    if not spans or spans[-1][1] != len(text):
        # The template adds something between the prompt and the last answer: take the answer itself.
        start = text.rfind(messages[-1]["content"].strip())
        if start < 0:
            raise RowError("the chat template does not show the answer as it stands in the data")
        spans = [(start, len(text))]
    return spans


def _render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Any], add_generation_prompt: bool) -> str:
    with template_at_work():
        text: str = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    return text


@contextlib.contextmanager
def template_at_work() -> Iterator[None]:
    """Let a chat template write one conversation. It is the base's: it may raise anything, or loop for ever.

    Raises:
        RowError: it refuses the conversation, or takes too long for it.
        ModelError: it took too long for several.
        Interrupted: a signal asks to stop.
    """
    with PATIENCE.waiting("writing a conversation with the chat template", RowError, ModelError):
        try:
            yield
        except (ManusError, RowError):
            raise
        except Exception as error:
            raise RowError(f"the chat template refuses this conversation: {reason_of(error)}") from None
