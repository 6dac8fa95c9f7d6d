"""Windows lose no token, begin at lines or words, overlap as asked; pieces give the tokens of the whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.data.tokens import windows as windows_module
from manus.data.tokens.rendering import render
from manus.data.tokens.windows import segment_windows, text_windows, windows
from tests.pico import tokenizer

TEXTS = {
    "lines": "".join(f"{n}: a line, and {n} more\n" for n in range(400)),
    "words": " ".join(f"word{n}" for n in range(1500)),
    "japanese": "漢字かな交じり文。" * 500,
    "nothing": "x" * 6000,
}


@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(1, 400),
    limit=st.integers(4, 60),
    share=st.floats(0, 0.5),
    seed=st.integers(0, 99),
    has_lines=st.booleans(),
)
def test_windows_cover_everything_and_overlap_at_most_as_asked(
    count: int, limit: int, share: float, seed: int, has_lines: bool
) -> None:
    overlap = int(share * limit)
    lines = np.random.default_rng(seed).random(count) < 0.1 if has_lines else None
    found = list(windows(count, limit, overlap, lines))
    assert found[0][0] == 0 and found[-1][1] == count
    assert all(0 < end - begin <= limit for begin, end in found)
    assert all(0 <= a[1] - b[0] <= overlap and b[0] > a[0] for a, b in pairwise(found))
    if not has_lines:
        assert all(a[1] - b[0] == overlap for a, b in pairwise(found))


@pytest.mark.parametrize("name", TEXTS)
def test_a_long_text_in_pieces_has_the_tokens_of_the_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = tokenizer()
    whole = render(words, {"text": TEXTS[name]}).ids
    monkeypatch.setattr(windows_module, "LONGEST_AT_ONCE", 100)
    monkeypatch.setattr(windows_module, "PIECE_CHARACTERS", 1000)
    cut = [window.ids for window in text_windows(words, TEXTS[name], 50, 0)]
    joined = [token for window in cut for token in window]
    assert words.decode(joined) == words.decode(whole) and joined[-1] == words.eos_token_id
    if name in ("lines", "words"):
        assert joined == whole
    assert max(map(len, cut)) <= 50 and "�" not in words.decode(joined)


@pytest.mark.parametrize(("name", "between"), [("lines", "\n"), ("words", " ")])
def test_windows_end_where_lines_or_words_do(name: str, between: str) -> None:
    words = tokenizer()
    cut = [words.decode(w.ids) for w in segment_windows(words, TEXTS[name], True, False, 60, 0)]
    assert all(a.endswith(between) or b.startswith(between) for a, b in pairwise(cut))


def test_an_overlap_begins_with_a_line() -> None:
    words = tokenizer()
    cut = [words.decode(w.ids) for w in segment_windows(words, TEXTS["lines"], True, True, 120, 40)]
    assert all(":" in window[:6] for window in cut)
    assert sum(map(len, cut)) > 1.1 * len(TEXTS["lines"])
