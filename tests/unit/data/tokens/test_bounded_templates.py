"""What a chat template computes has bounds, so that no operation of it takes for ever or all memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from manus.data.sample import RowError
from manus.data.tokens.bounded_templates import LARGEST_TEXT, is_too_much
from manus.data.tokens.chat_templates import rendered
from manus.models.tokenizer import load_tokenizer

TURNS = [{"role": "user", "content": "hi"}]
TOO_MUCH = {
    "a power": "{{ 99 ** 99 ** 99 }}",
    "a power of what is said": "{% set n = messages|length + 98 %}{{ n ** n ** n }}",
    "products of products": "{% set n = namespace(x=9) %}{% for _ in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "a text": "{{ 'a' * 20000000000 }}",
    "a list": "{{ (20000000000 * [1])|length }}",
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_large_a_result_is_refused_at_once(pico_base: Path, name: str) -> None:
    tokenizer = load_tokenizer(pico_base)
    tokenizer.chat_template = TOO_MUCH[name]
    began = time.process_time()
    with pytest.raises(RowError, match="it computes too large a result"):
        rendered(tokenizer, TURNS, add_generation_prompt=False)
    assert time.process_time() - began < 2


def test_what_templates_compute_stays(pico_base: Path) -> None:
    tokenizer = load_tokenizer(pico_base)
    tokenizer.chat_template = "{{ '-' * 3 }}{{ 2 ** 10 }}{{ 3 * 0.5 }}{{ 2 ** -1 }}{{ [1] * 2 }}{{ 2 * 'ab' }}"
    assert rendered(tokenizer, TURNS, add_generation_prompt=False) == "---10241.50.5[1, 1]abab"


@pytest.mark.parametrize(("operator", "left", "right", "expected"), [
    ("*", "ab", LARGEST_TEXT // 2, False), ("*", "ab", LARGEST_TEXT // 2 + 1, True), ("*", 10**9, "ab", True),
    ("*", 2.0, 10**300, False), ("**", 2.0, 10**9, False), ("**", 0, 10**30, False), ("**", 10**9, 10**9, True),
    ("*", None, 3, False), ("**", True, -(10**9), False),
])  # fmt: skip
def test_how_much_is_too_much(operator: str, left: Any, right: Any, expected: bool) -> None:
    assert is_too_much(operator, left, right) is expected


GROWS = """
import json, resource, sys
from pathlib import Path
from manus.data.sample import RowError
from manus.data.tokens import chat_templates
from manus.guards import patience
from manus.models.tokenizer import load_tokenizer
patience.LARGEST_GROWTH_BYTES = 200 << 20
tokenizer = load_tokenizer(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
tokenizer.chat_template = sys.argv[2]
try:
    chat_templates.rendered(tokenizer, [{"role": "user", "content": "hi"}], add_generation_prompt=False)
except RowError as error:
    print(json.dumps([str(error), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10]))
"""


def test_a_template_that_takes_ever_more_memory_is_given_up(pico_base: Path) -> None:
    template = (
        "{% set n = namespace(x=[]) %}{% for _ in range(90000) %}{% for _ in range(90000) %}"
        "{% set n.x = n.x + ['0123456789' * 1000000 ~ loop.index] %}{% endfor %}{% endfor %}"
    )
    command = [sys.executable, "-c", GROWS, str(pico_base), template]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    said, grown = json.loads(done.stdout.splitlines()[-1])
    assert "takes more than" in said and "memory" in said
    assert grown < 8000
