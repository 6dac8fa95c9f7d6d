"""Changes what the model may say next: a grammar for JSON and calls, penalties, biases. Knows no endpoint.

Shapes: V logits of the vocabulary.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from llguidance import LLMatcher, LLParserLimits
from llguidance.hf import from_tokenizer

from manus.data.forms.thought_format import CLOSE as END_OF_THOUGHT
from manus.data.forms.tool_format import CLOSE, OPEN
from manus.serving.server.refusals import Refused

if TYPE_CHECKING:
    from llguidance import LLTokenizer

    from manus.models.generation.questions import Limit
    from manus.serving.hosted import Hosted

LARGEST_SCHEMA = 100_000  # characters
SPACED = {"whitespace_pattern": r"[ \n]?"}  # without a bound, a weak model writes white space for ever
COMPACT = {"whitespace_flexible": False}
PARSER = LLParserLimits(max_grammar_size=200_000, initial_lexer_fuel=2_000_000)


@dataclass
class Grammars:
    """Grammars over the vocabulary of one model; reading a vocabulary takes a moment and happens once."""

    hosted: Hosted

    @cached_property
    def vocabulary(self) -> LLTokenizer:
        """The model's vocabulary as the parser knows it."""
        with self.hosted.lock:
            return from_tokenizer(
                self.hosted.tokenizer, self.hosted.vocabulary, eos_token=list(self.hosted.ends)
            )

    def limit(self, grammar: str, param: str) -> Limit:
        """Return what keeps an answer within a grammar.

        Args:
            grammar: of llguidance.
            param: the parameter that asks for it, for messages.

        Raises:
            Refused: it is no grammar, or one too large.
        """
        matcher = LLMatcher(self.vocabulary, grammar, log_level=0, limits=PARSER)
        if matcher.is_error():
            raise Refused(f"{param}: {_first_line(matcher.get_error())}", param=param)
        return _Within(matcher)


def of_json(schema: Any, param: str, opens_thought: bool = False) -> str:
    """Return the grammar of JSON that fits a schema; behind the end of a thought where one is open.

    Raises:
        Refused: it is no schema that can be followed.
    """
    return _lark(f"%json {_schema_text(schema, param, SPACED)}", opens_thought)


def of_calls(tools: Sequence[Mapping[str, Any]], several: bool, opens_thought: bool = False) -> str:
    """Return the grammar of one or several calls of functions, in the form that Manus teaches.

    Args:
        tools: each with `name` and `parameters`.
        several: whether more than one call may be made.
        opens_thought: whether the answer begins inside a thought.

    Raises:
        Refused: a function's parameters are no schema that can be followed.
    """
    schemas = [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "arguments"],
            "properties": {"name": {"const": tool["name"]}, "arguments": _resolved(tool["parameters"])},
        }
        for tool in tools
    ]
    bodies = [f"%json {_schema_text(schema, 'tools', COMPACT)}" for schema in schemas]
    rules = "".join(f"\nbody{n}: {body}" for n, body in enumerate(bodies))
    call = f'"{OPEN}\\n" ({" | ".join(f"body{n}" for n in range(len(bodies)))}) "\\n{CLOSE}"'
    return _lark(f'call ("\\n" call)*\ncall: {call}{rules}' if several else f"{call}{rules}", opens_thought)


def _lark(answer: str, opens_thought: bool) -> str:
    """Return a grammar in Lark's words whose answer may stand behind a thought that the prompt opened."""
    head = "%llguidance {}\n"
    if not opens_thought:
        return f"{head}start: answer\nanswer: {answer}"
    end = END_OF_THOUGHT.replace("/", r"\/")
    thought = f"thought[lazy]: /(?s:.*){end}/"
    return f'{head}start: thought "\\n" answer\n{thought}\nanswer: {answer}'


def _resolved(parameters: Any) -> Any:
    """Return a function's parameters to stand inside another schema; `$defs` are named from its top."""
    text = json.dumps(parameters)
    if '"#/' not in text:
        return parameters
    return json.loads(text.replace('"#/', '"#/properties/arguments/'))


def _schema_text(schema: Any, param: str, spacing: Mapping[str, Any]) -> str:
    text = json.dumps({**schema, "x-guidance": spacing} if isinstance(schema, Mapping) else schema)
    if len(text) > LARGEST_SCHEMA:
        raise Refused(f"{param}: a schema of more than {LARGEST_SCHEMA:,} characters", param=param)
    is_wrong, messages = LLMatcher.validate_grammar_with_warnings(
        LLMatcher.grammar_from_json_schema(text), limits=PARSER
    )
    if is_wrong:
        raise Refused(f"{param}: {_first_line(messages[0])}", param=param)
    return text


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "no grammar")[:300]


class _Within:
    """Keeps an answer within a grammar. Holds the place in it, so it serves one answer."""

    def __init__(self, matcher: LLMatcher) -> None:
        self.matcher, self.read = matcher, 0

    def __call__(self, ids: list[int], logits_V: torch.Tensor) -> torch.Tensor:
        for token in ids[self.read :]:
            self.matcher.consume_token(token)
        self.read = len(ids)
        bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
        if self.matcher.is_error():
            raise Refused(f"the answer cannot follow its grammar: {_first_line(self.matcher.get_error())}")
        allowed = torch.from_numpy(np.unpackbits(bits, bitorder="little")[: len(logits_V)].astype(bool))
        return logits_V.masked_fill(~allowed.to(logits_V.device), float("-inf"))


@dataclass(frozen=True)
class Weighed:
    """Adds biases to tokens and takes away from those said before, as OpenAI's interface defines it."""

    bias: Mapping[int, float]
    frequency: float
    presence: float

    def __call__(self, ids: list[int], logits_V: torch.Tensor) -> torch.Tensor:
        changed_V = logits_V.clone()
        for token, count in Counter(ids).items() if self.frequency or self.presence else ():
            changed_V[token] -= count * self.frequency + self.presence
        for token, more in self.bias.items():
            changed_V[token] += more
        return changed_V


def both(first: Limit | None, second: Limit | None) -> Limit | None:
    """Return two limits as one, or the only one there is."""
    if first is None or second is None:
        return first or second
    return lambda ids, logits_V: second(ids, first(ids, logits_V))
