"""Cuts tokens into windows, with overlap, where a line or a word begins. Knows nothing of files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from manus.data.sample import Tokens
from manus.data.tokens.rendering import encode, render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHORTEST_WINDOW_TOKENS = 2
LONGEST_AT_ONCE = 1 << 20
PIECE_CHARACTERS = 1 << 16

Marks = npt.NDArray[np.bool_]


def windows(
    count: int, limit: int, overlap: int = 0, lines: Marks | None = None, words: Marks | None = None
) -> Iterator[tuple[int, int]]:
    """Yield where windows of at most `limit` tokens begin and end.

    Args:
        count: how many tokens there are.
        limit: the longest window.
        overlap: how many tokens a window repeats of the one before it; fewer where a line begins between.
        lines: which tokens begin a line. A window ends before one if that leaves it half full.
        words: which tokens begin a word; they serve where there are no lines.
    """
    begin = 0
    while count - begin > limit:
        end = begin + limit
        for marks in (lines, words):
            if marks is not None and (cut := _last(marks, begin + limit // 2 + 1, end)) is not None:
                end = cut
                break
        yield begin, end
        begin = max(begin + 1, end - overlap)
        if overlap and lines is not None and (cut := _first(lines, begin, end - overlap // 2)) is not None:
            begin = cut
    yield begin, count


def _last(marks: Marks, begin: int, end: int) -> int | None:
    found = np.flatnonzero(marks[begin : end + 1])
    return begin + int(found[-1]) if len(found) else None


def _first(marks: Marks, begin: int, end: int) -> int | None:
    found = np.flatnonzero(marks[begin : end + 1])
    return begin + int(found[0]) if len(found) else None


def windows_of(tokens: Tokens, limit: int, overlap: int) -> Iterator[Tokens]:
    """Yield the windows of a text's tokens, cut by their number alone."""
    for begin, end in windows(len(tokens.ids), limit, overlap):
        if end - begin >= SHORTEST_WINDOW_TOKENS:
            yield Tokens(tokens.ids[begin:end], tokens.is_learned[begin:end])


def segment_windows(
    tokenizer: PreTrainedTokenizerBase, text: str, is_first: bool, is_last: bool, limit: int, overlap: int
) -> Iterator[Tokens]:
    """Tokenise a segment of a longer text and yield its windows, cut where lines or words begin.

    The special tokens that a tokenizer puts in front of a text stand only in front of the first segment; the
    end-of-text token only behind the last.
    """
    encoding = encode(tokenizer, text)
    ids: list[int] = encoding.ids
    codes = np.frombuffer(f"\n{text} ".encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    begins = np.asarray([begin for begin, _ in encoding.offsets], dtype=np.int64)
    lines, is_blank = codes[begins] == 10, np.isin(codes, (9, 10, 13, 32))
    words = (
        is_blank[begins] | is_blank[begins + 1]
    )  # some vocabularies have the space in the token, some before it
    front = _front(tokenizer) if is_first else []
    back = [tokenizer.eos_token_id] if is_last else []
    ids = front + ids + back
    lines, words = (np.pad(marks, (len(front), len(back))) for marks in (lines, words))
    for begin, end in windows(len(ids), limit, overlap, lines, words):
        if end - begin >= SHORTEST_WINDOW_TOKENS:
            yield Tokens(ids[begin:end], [True] * (end - begin))


def text_windows(tokenizer: PreTrainedTokenizerBase, text: str, limit: int, overlap: int) -> Iterator[Tokens]:
    """Yield the windows of a whole text; a long one is tokenised in pieces, so memory does not grow."""
    if len(text) <= LONGEST_AT_ONCE:
        yield from windows_of(render(tokenizer, {"text": text}), limit, overlap)
        return
    begin = 0
    while begin < len(text):
        piece = text[begin : begin + PIECE_CHARACTERS].encode("utf-8", "surrogatepass")
        is_last = begin + PIECE_CHARACTERS >= len(text)
        segment = (piece if is_last else piece[: best_cut(piece)]).decode("utf-8", "surrogatepass")
        yield from segment_windows(tokenizer, segment, begin == 0, is_last, limit, overlap)
        begin += len(segment)


def best_cut(data: bytes) -> int:
    """Return the last good place to cut bytes of UTF-8 in two: before a line, before a space, in between."""
    places = np.frombuffer(data, dtype=np.uint8)
    before, after, is_blank = (
        places[:-1],
        places[1:],
        np.isin(places, np.frombuffer(b" \t\r\n", dtype=np.uint8)),
    )
    for is_good in (
        (before == 10) & ~is_blank[1:],  # a line that begins with something
        before == 10,
        ~is_blank[:-1] & is_blank[1:],  # most vocabularies have the space in front of the word
        (after & 0xC0) != 0x80,  # not within a character
    ):
        found = np.flatnonzero(is_good)
        if len(found) and found[-1] + 1 >= len(data) // 2:
            return int(found[-1]) + 1
    return len(data)


def _front(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the special tokens that a tokenizer puts in front of every text."""
    with_special = tokenizer("a", add_special_tokens=True)["input_ids"]
    alone = tokenizer("a", add_special_tokens=False)["input_ids"]
    first = next((i for i in range(len(with_special)) if with_special[i : i + len(alone)] == alone), 0)
    return list(with_special[:first])
