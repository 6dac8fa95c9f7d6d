"""Which method can train what: one answer for the recipe's reader and for the table in docs/RECIPES.md."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest

from manus import capabilities
from manus.data.sample import SampleKind
from manus.recipe.page import markdown
from manus.recipe.recipe import CAPABILITIES, METHODS, shared_kind
from manus.recipe.suitability import LACKS, NEAREST_KINDS, UNFIT, refusal


def test_every_kind_of_sample_may_be_lacking() -> None:
    assert set(LACKS) == set(NEAREST_KINDS) == set(get_args(SampleKind))
    for kind, others in NEAREST_KINDS.items():
        assert {kind, *others} == set(get_args(SampleKind))
    assert len({word for word, _ in LACKS.values()}) == len(LACKS)


def test_the_table_has_every_pair_and_says_what_the_reader_says() -> None:
    page = markdown().split("### Which method can train what\n")[1].split("\n## ")[0]
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|")
    )
    assert head == ["capability", *METHODS]
    assert [row[0] for row in rows] == [*CAPABILITIES, *capabilities.PLANNED]
    assert len(rows) > 10 and len(head) > 10
    for capability, *cells in rows:
        for method, cell in zip(METHODS, cells, strict=True):
            found = refusal(capability, method)
            assert cell == (f"*{found.word}*" if found else shared_kind(capability, method))
            if found:
                assert f"- *{found.word}*: {found.reason}" in page
                assert not found.nearest or f"take {capability} by {found.nearest}" in page
    assert set(re.findall(r"^- \*(.+?)\*:", page, re.M)) == {
        *UNFIT,
        "no turns",
        "no verifier",
        "not built yet",
    }


@pytest.mark.parametrize(
    ("kinds", "method", "word", "nearest"),
    [
        (("messages",), "cpt", "no turns", "lora"),
        (("messages",), "dpo", "no pairs", "lora"),
        (("messages",), "ppo", "no verifier", "lora"),
        (("messages", "prompt"), "orpo", "no pairs", "grpo"),
        (("messages", "preference"), "grpo", "no verifier", "dpo"),
        (("text",), "sft", "no answers", "cpt"),
    ],
)
def test_the_nearest_method_is_of_the_same_family(
    monkeypatch: pytest.MonkeyPatch, kinds: tuple[SampleKind, ...], method: str, word: str, nearest: str
) -> None:
    monkeypatch.setitem(CAPABILITIES, "new", replace(CAPABILITIES["cot"], SAMPLE_KINDS=kinds))
    found = refusal("new", method)
    assert found is not None
    assert (found.word, found.nearest) == (word, nearest)
    assert refusal("new", nearest) is None
