"""What a chat template computes has bounds, so that no operation of it takes for ever or all memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manus.data.sample import RowError
from manus.data.tokens.chat_templates import rendered
from manus.models.tokenizer import load_tokenizer

TURNS = [{"role": "user", "content": "hi"}]
TOO_MUCH = {
    "a power": "{{ 99 ** 99 ** 99 }}",
    "a power of what is said": "{% set n = messages|length + 98 %}{{ n ** n ** n }}",
    "products of products": "{% set n = namespace(x=9) %}{% for _ in range(60) %}{% set n.x = n.x * n.x %}"
    "{% endfor %}",
    "a text": "{{ 'a' * 20000000000 }}",
    "a list": "{{ (20000000000 * [1])|length }}",
    "a width": "{{ 'a'.center(10000000000) }}",
    "a width of a filter": "{{ 'a'|center(10000000000) }}",
    "a width in a pattern": "{{ '%10000000000d' % 1 }}",
    "a width in braces": "{{ '{:10000000000}'.format(1) }}",
    "a method found by name": "{{ ('a'|attr('ljust'))(10000000000) }}",
    "a filter called by another": "{{ ['a']|map('center', 10000000000)|list }}",
    "digits": "{{ 3|round(1000000000, 'ceil') }}",
    "texts put together": "{% set x = 'a' * 40000000 %}{% set y = x ~ x %}",
    "texts added": "{% set x = 'a' * 40000000 %}{% set y = x + x %}",
    "what is written": "{% set x = 'a' * 40000000 %}{{ x }}{{ x }}",
    "what a macro writes": "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{% set y = m('a' * 40000000) %}",
    "what a block writes": "{% set x = 'a' * 40000000 %}{% set y %}{{ x }}{{ x }}{% endset %}",
    "a list as text": "{% set x = 'a' * 40000000 %}{{ [x, x] }}",
    "a list as JSON": "{% set x = 'a' * 40000000 %}{{ [x, x]|tojson }}",
    "a complaint": "{% set x = 'a' * 40000000 %}{{ raise_exception([x, x]) }}",
    "what is compared": "{% set n = namespace(a=[1], b=[1]) %}{% for _ in range(60) %}"
    "{% set n.a = [n.a, n.a] %}"
    "{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}",
    "what is a key": "{% set n = namespace(a=(1,)) %}{% for _ in range(60) %}{% set n.a = (n.a, n.a) %}"
    "{% endfor %}{{ {n.a: 1} }}",
    "dictionaries": "{% set n = namespace(a={}) %}{% for _ in range(60) %}{% set n.a = dict(a=n.a, b=n.a) %}"
    "{% endfor %}",
    "lists repeated": "{% set n = namespace(a=[1]) %}{% for _ in range(60) %}"
    "{% set n.a = ([n.a] * 2)|batch(2)|list %}{% endfor %}",
    "variables": "{% set n = namespace(x=[1]) %}{% for _ in range(60) %}{% set n.x = [n.x, n.x] %}"
    "{% endfor %}{{ n }}",
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
    tokenizer.chat_template = (
        "{{ '-' * 3 }}{{ 2 ** 10 }}{{ 3 * 0.5 }}{{ 2 ** -1 }}{{ [1] * 2 }}{{ 2 * 'ab' }}"
    )
    assert rendered(tokenizer, TURNS, add_generation_prompt=False) == "---10241.50.5[1, 1]abab"
    tokenizer.chat_template = (
        "{{ 'a'.center(3) }}|{{ 'a\nb'|indent(2) }}|{{ ['x', 1]|join('+') }}|{{ '%s-%d' % ('a', 3) }}"
        "|{{ '{}:{x}'.format(1, x=2) }}"
        "|{{ {'a': 1700000000000}|tojson }}|{{ 1700000000000 }}|{{ 'a' ~ 1 ~ none }}"
        "|{{ 'a,b'.replace(',', ';') }}|{{ none }}"
        "|{{ '<'|e ~ 'b' }}|{% autoescape true %}{{ '<' ~ 'b' }}{% endautoescape %}"
        "|{% macro f(a) %}[{{ a }}]{% endmacro %}{{ f(1) }}"
    )
    expected = ' a |a\n  b|x+1|a-3|1:2|{"a": 1700000000000}|1700000000000|a1None|a;b|None|&lt;b|&lt;b|[1]'
    assert rendered(tokenizer, TURNS, add_generation_prompt=False) == expected


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
