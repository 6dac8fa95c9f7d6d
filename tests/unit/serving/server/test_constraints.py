"""What keeps an answer within JSON, within calls, within weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from manus.serving.hosted import Hosted
from manus.serving.server.constraints import Grammars, Weighed, both, of_calls, of_json
from manus.serving.server.refusals import Refused
from tests.pico import tokenizer

SCHEMA = {
    "type": "object",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def grammars() -> Grammars:
    import threading

    words = tokenizer()
    hosted: Any = SimpleNamespace(
        tokenizer=words, vocabulary=len(words) + 5, ends=(words.eos_token_id,), lock=threading.Lock()
    )
    return Grammars(hosted)


def follows(grammars: Grammars, grammar: str, text: str) -> bool:
    """Tell whether a grammar lets an answer be this text and then end."""
    hosted: Hosted = grammars.hosted
    limit = grammars.limit(grammar, "p")
    ids = [*hosted.tokenizer(text, add_special_tokens=False)["input_ids"], hosted.ends[0]]
    for place, token in enumerate(ids):
        if limit(ids[:place], torch.zeros(hosted.vocabulary))[token] == -torch.inf:
            return False
    return True


def test_json_of_a_schema(grammars: Grammars) -> None:
    grammar = of_json(SCHEMA, "response_format")
    assert follows(grammars, grammar, '{"x": 12}') and follows(grammars, grammar, '{"x":12}')
    assert not follows(grammars, grammar, '{"x": "12"}')
    assert not follows(grammars, grammar, '{"y": 12}')
    assert not follows(grammars, grammar, "{")
    assert not follows(grammars, grammar, '{"x": 12} and')


def test_json_stands_behind_a_thought_that_is_open(grammars: Grammars) -> None:
    grammar = of_json(SCHEMA, "response_format", opens_thought=True)
    assert follows(grammars, grammar, 'Hm {"y"}.\n</think>\n{"x": 1}')
    assert not follows(grammars, grammar, '{"x": 1}')


def test_calls_of_the_functions_that_are_there(grammars: Grammars) -> None:
    tools = [
        {
            "name": "f",
            "parameters": {"type": "object", "properties": {"c": {"type": "string"}}, "required": ["c"]},
        },
        {
            "name": "g",
            "parameters": {
                "type": "object",
                "properties": {"n": {"$ref": "#/$defs/n"}},
                "$defs": {"n": {"type": "integer"}},
            },
        },
    ]
    first = '<tool_call>\n{"name":"f","arguments":{"c":"é"}}\n</tool_call>'
    second = '<tool_call>\n{"name":"g","arguments":{"n":7}}\n</tool_call>'
    several, one = of_calls(tools, several=True), of_calls(tools, several=False)
    assert follows(grammars, several, first) and follows(grammars, one, second)
    assert follows(grammars, several, f"{first}\n{second}") and not follows(
        grammars, one, f"{first}\n{second}"
    )
    assert not follows(grammars, several, '<tool_call>\n{"name":"h","arguments":{}}\n</tool_call>')
    assert not follows(grammars, several, '<tool_call>\n{"name":"g","arguments":{"n":"7"}}\n</tool_call>')
    assert not follows(grammars, several, "Hello")


@pytest.mark.parametrize(
    "schema", [{"type": "nonsense"}, {"not": {"type": "string"}}, {"$ref": "#/nowhere"}, {"enum": "a"}]
)
def test_what_cannot_be_followed_is_refused_by_name(schema: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"^response_format: ") as refused:
        of_json(schema, "response_format")
    assert refused.value.status == 400 and refused.value.param == "response_format"


def test_a_huge_schema_is_refused() -> None:
    with pytest.raises(Refused, match="100,000 characters"):
        of_json({"enum": ["x" * 200_000]}, "response_format")


def test_weights_are_as_the_interface_defines_them() -> None:
    logits_V = torch.zeros(4)
    changed = Weighed({3: 5.0}, frequency=0.5, presence=0.25)([1, 1, 2], logits_V)
    assert changed.tolist() == [0.0, -1.25, -0.75, 5.0]
    assert logits_V.tolist() == [0.0] * 4


def test_two_limits_are_one() -> None:
    add = Weighed({0: 1.0}, 0, 0)
    assert both(None, None) is None and both(add, None) is add and both(None, add) is add
    found = both(add, add)
    assert found is not None and found([], torch.zeros(2)).tolist() == [2.0, 0.0]
