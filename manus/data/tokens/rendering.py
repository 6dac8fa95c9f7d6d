"""Turns samples into token ids and marks which of them are learned. Knows nothing of files or models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from manus.data.sample import Message, Pair, RowError, Sample, Tokens
from manus.data.tokens.answer_places import Span, prompt_text, written

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerBase

Spans = Sequence[Span]


def render_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Any]) -> str:
    """Return the text that stands before the assistant's next words."""
    return prompt_text(tokenizer, messages)


def render(tokenizer: PreTrainedTokenizerBase, sample: Sample) -> Tokens:
    """Tokenise one sample. In a chat the assistant's turns are learned, in a text everything.

    Of a chat, the turns are learned that its text shows as the model is asked for them; see `renderings`.

    Raises:
        RowError: the template refuses the conversation, or leaves out a turn.
    """
    if "text" in sample:
        ids = tokenizer(sample["text"], add_special_tokens=True)["input_ids"]
        if not ids or ids[-1] != tokenizer.eos_token_id:
            ids = [*ids, tokenizer.eos_token_id]
        return Tokens(ids, [True] * len(ids))
    given = written(tokenizer, sample["messages"])
    return tokens_of(tokenizer, given.text, given.learned)


def renderings(tokenizer: PreTrainedTokenizerBase, sample: Sample) -> Iterator[Tokens]:
    """Tokenise one chat so that all turns of the assistant are learned, each behind what asks for it.

    Most templates show all of them so in one text. Some drop the thoughts of earlier turns, or open a thought
    in the prompt
    alone: such a turn is learned as the last one of the conversation up to it.

    Raises:
        RowError: as `render`.
    """
    messages = sample["messages"]
    whole = written(tokenizer, messages)
    if whole.learned or not whole.apart:
        yield tokens_of(tokenizer, whole.text, whole.learned)
    for place in whole.apart:
        alone = written(tokenizer, messages[: place + 1])
        yield replace(tokens_of(tokenizer, alone.text, alone.last), turns=place + 1)


def tokens_of(tokenizer: PreTrainedTokenizerBase, text: str, spans: Spans) -> Tokens:
    """Tokenise a rendered conversation, learned where its spans are.

    No token belongs to a prompt and to its answer, as none does when the model is asked.

    Raises:
        RowError: there is nothing to learn.
    """
    encoding = encode(tokenizer, text)
    if cuts := [begin for begin, _ in spans if _is_within_a_token(encoding, begin)]:
        ids, is_learned = _in_pieces(tokenizer, text, spans, cuts)
        if _text_of(tokenizer, ids) == _text_of(
            tokenizer, encoding.ids
        ):  # some vocabularies begin each with a space
            return Tokens(ids, is_learned)
    return marked(encoding, spans, len(text))


def _is_within_a_token(encoding: Encoding, place: int) -> bool:
    token = encoding.char_to_token(place)
    chars = None if token is None else encoding.token_to_chars(token)
    return chars is not None and chars[0] < place


def _in_pieces(
    tokenizer: PreTrainedTokenizerBase, text: str, spans: Spans, cuts: Sequence[int]
) -> tuple[list[int], list[bool]]:
    ids: list[int] = []
    is_learned: list[bool] = []
    for begin, end in pairwise([0, *cuts, len(text)]):
        encoding = encode(tokenizer, text[begin:end])
        own = [(max(a, begin) - begin, min(b, end) - begin) for a, b in spans if a < end and begin < b]
        ids += encoding.ids
        is_learned += _within(encoding, own, end - begin)
    return ids, is_learned


def _text_of(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


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
    """Tokenise a text as it stands, without special tokens; far less around it than in a tokenizer's call."""
    backend: Tokenizer = tokenizer.backend_tokenizer  # type: ignore[attr-defined]
    if backend.padding is not None:
        backend.no_padding()
    if backend.truncation is not None:
        backend.no_truncation()
    return backend.encode(text, add_special_tokens=False)


def _within(encoding: Encoding, spans: Spans, end: int) -> list[bool]:
    """Tell for each token whether it shares a character with a span.

    Asks for the tokens at the edges; all offsets are looked at only where an edge has none (a normalizer took
    it away).
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
    """Tokenise a prompt with its chosen and its rejected answer. The prompt ends where the three part.

    Raises:
        RowError: the template refuses the conversation, or both answers are the same to it.
    """
    prompt = sample["messages"][:-1]
    asked = encode(tokenizer, render_prompt(tokenizer, prompt)).ids
    answers: list[Message] = [sample["messages"][-1], {"role": "assistant", "content": sample["rejected"]}]
    texts = [written(tokenizer, [*prompt, answer]) for answer in answers]
    chosen, rejected = (tokens_of(tokenizer, given.text, given.last).ids for given in texts)
    if chosen == rejected:
        raise RowError("the chosen and the rejected answer are the same")
    shared = min(_common(asked, chosen), _common(asked, rejected))
    return Pair(chosen[:shared], chosen[shared:], rejected[shared:])


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with in common."""
    unlike = (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(unlike, min(len(one), len(other)))
