"""Says of one operation of a chat template whether it makes more than any conversation needs, before it does.

Texts are counted in characters, lists in items. Knows nothing of templates, only what Python and Jinja call
things.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

LARGEST_BITS = 10_000  # of a number
LARGEST_TEXT = 64 << 20  # characters of a text, or items of a list
LARGEST_STEPS = 1 << 30  # of an operation whose time grows faster than its result
LARGEST_INDENT = 100  # of JSON, and the same for its separators
MOST_DIGITS = 300  # to which a number is rounded

NAMESPACES = ("Namespace", "TemplateNamespace")  # where templates keep variables

PRINTF = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\d+|\*)?(?:\.(\d+|\*))?")
SPEC = re.compile(r"\{[^{}]*:([^{}]*)\}")
NESTED_SPEC = re.compile(r"\{[^{}]*:[^{}]*\{")
NUMBER = re.compile(r"\d+")


def is_too_much(operator: str, left: Any, right: Any) -> bool:
    """Tell whether what an operator makes of two values is too large."""
    if isinstance(left, int) and isinstance(right, int):
        return _is_too_large_a_number(operator, left, right)
    if operator == "%":
        return isinstance(left, (str, bytes)) and printf_length(str(left), right) > LARGEST_TEXT
    if operator == "+":
        are_long = hasattr(left, "__len__") and hasattr(right, "__len__")
        return are_long and len(left) + len(right) > LARGEST_TEXT
    if operator == "*" and isinstance(left, int):
        left, right = right, left
    if operator != "*" or not isinstance(right, int) or not hasattr(left, "__len__"):
        return False
    size = (
        len(left)
        if isinstance(left, (str, bytes))
        else max(len(left), written_length(left) if right > 1 else 0)
    )
    return max(size, 1) * right > LARGEST_TEXT


def _is_too_large_a_number(operator: str, left: int, right: int) -> bool:
    if operator == "**":
        return left.bit_length() * max(right, 0) > LARGEST_BITS
    return operator == "*" and left.bit_length() + right.bit_length() > LARGEST_BITS


def written_length(value: Any) -> int:
    """Return about how many characters a value has as text, at most a little more than LARGEST_TEXT.

    What stands in it several times counts as often and is looked at once.
    """
    known: dict[int, int] = {}

    def length(one: Any) -> int:
        if isinstance(one, (str, bytes)):
            return len(one) + 2
        if not isinstance(one, (list, tuple, dict, set, frozenset)) and type(one).__name__ not in NAMESPACES:
            return 20
        if id(one) not in known:
            held = (
                one
                if isinstance(one, (list, tuple, dict, set, frozenset))
                else object.__getattribute__(one, "__dict__")
            )
            parts = chain.from_iterable(held.items()) if isinstance(held, dict) else held
            known[id(one)] = min(LARGEST_TEXT + 1, 2 + sum(length(part) + 2 for part in parts))
        return known[id(one)]

    return length(value)


def printf_length(pattern: str, values: Any) -> int:
    """Return at most how long `pattern % values` is."""
    given = values if isinstance(values, tuple) else (values,)
    asked = [one for found in PRINTF.finditer(pattern) for one in found.groups() if one]
    widths = sum(int(one[:20]) for one in asked if one != "*")
    if "*" in asked:
        widths += sum(abs(one) for one in given if isinstance(one, int))
    if isinstance(values, Mapping):  # each of them may be named any number of times
        return len(pattern) + widths + pattern.count("%") * written_length(values)
    return len(pattern) + widths + sum(map(written_length, given))


def format_length(pattern: str, values: Iterable[Any]) -> int:
    """Return at most how long `pattern.format(*values)` is."""
    given = list(values)
    widths = sum(int(number[:20]) for spec in SPEC.findall(pattern) for number in NUMBER.findall(spec))
    if NESTED_SPEC.search(pattern):  # a width is one of the values
        widths += sum(abs(one) for one in given if isinstance(one, int))
        texts = [one for one in given if isinstance(one, str)]
        widths += sum(int(number[:20]) for text in texts for number in NUMBER.findall(text))
    return len(pattern) + widths + pattern.count("{") * max(map(written_length, given), default=0)


def _replaced(text: Any, old: Any, new: Any, count: Any = -1) -> int:
    times = text.count(old) if len(old) else len(text) + 1
    return len(text) + (times if count is None or count < 0 else min(times, count)) * len(new)


def _joined(between: Any, parts: Any) -> int:
    if not isinstance(parts, (list, tuple, dict, str, bytes)):
        return 0  # made piece by piece: it takes memory by and by
    return len(between) * len(parts) + sum(len(part) for part in parts if isinstance(part, (str, bytes)))


def _translated(text: Any, table: Any, *_: Any) -> int:
    values = table.values() if isinstance(table, Mapping) else table
    if not hasattr(values, "__iter__"):
        return 0
    longest = max((len(one) for one in values if isinstance(one, str)), default=1)
    return int(len(text) * longest)


def _with_tabs(text: Any, tabsize: int = 8) -> int:
    return int(len(text) + text.count(b"\t" if isinstance(text, bytes) else "\t") * tabsize)


def _as_mapping(pattern: str, values: Any) -> int:
    return format_length(pattern, values.values() if isinstance(values, Mapping) else [values])


METHODS: dict[str, Callable[..., int]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), lambda text, width, *_: max(len(text), width)),
    "expandtabs": _with_tabs,
    "replace": _replaced,
    "join": _joined,
    "translate": _translated,
    "format": lambda text, *values, **named: format_length(text, [*values, *named.values()]),
    "format_map": _as_mapping,
    "to_bytes": lambda number, length=1, *_, **__: length,
}  # of texts and numbers: how long the result is at most


def of_method(name: str, owner: Any, values: tuple[Any, ...], named: Mapping[str, Any]) -> bool:
    """Tell whether what a method of a text or number makes is too large."""
    length = METHODS.get(name)
    if length is None or not isinstance(owner, (str, bytes, int)):
        return False
    return length(owner, *values, **named) > LARGEST_TEXT


def _centred(value: Any, width: int = 80) -> bool:
    return max(written_length(value), width) > LARGEST_TEXT


def _indented(text: Any, width: Any = 4, *_: Any, **__: Any) -> bool:
    wide = len(width) if isinstance(width, str) else width
    return len(text) + (len(text.splitlines()) + 2) * wide > LARGEST_TEXT


def _joined_by_filter(value: Any, d: Any = "", attribute: Any = None) -> bool:
    parts = value if isinstance(value, (list, tuple, str, dict)) else ()
    return len(str(d)) * len(parts) + sum(map(written_length, parts)) > LARGEST_TEXT


def _summed(value: Any, attribute: Any = None, start: Any = 0) -> bool:
    if not hasattr(start, "__len__"):
        return False
    if attribute is not None or not isinstance(
        value, (list, tuple)
    ):  # how much it is would have to be computed
        return True
    total = len(start) + sum(len(part) for part in value if hasattr(part, "__len__"))
    return len(value) * total > LARGEST_STEPS


def _as_json(
    value: Any, ensure_ascii: Any = False, indent: Any = None, separators: Any = None, *_: Any, **__: Any
) -> bool:
    wide = len(indent) if isinstance(indent, str) else indent or 0
    between = max(map(len, separators), default=0) if separators else 0
    return max(wide, between) > LARGEST_INDENT or written_length(value) > LARGEST_TEXT


FILTERS: dict[str, Callable[..., bool]] = {
    "center": _centred,
    "indent": _indented,
    "replace": lambda s, old, new, count=None: _replaced(str(s), str(old), str(new), count) > LARGEST_TEXT,
    "join": _joined_by_filter,
    "format": lambda text, *values, **named: printf_length(str(text), named or values) > LARGEST_TEXT,
    "batch": lambda value, linecount, fill_with=None: fill_with is not None and linecount > LARGEST_TEXT,
    "round": lambda value, precision=0, *_, **__: abs(precision) > MOST_DIGITS,
    "sum": _summed,
    "tojson": _as_json,
    "wordwrap": lambda s, width=79, break_long_words=True, wrapstring=None, *_, **__: (
        len(s) * len(wrapstring or "") > LARGEST_TEXT
    ),
    **dict.fromkeys(
        (
            "string",
            "trim",
            "upper",
            "lower",
            "title",
            "capitalize",
            "truncate",
            "wordcount",
            "urlencode",
            "urlize",
            "striptags",
            "e",
            "escape",
            "forceescape",
            "safe",
            "pprint",
            "xmlattr",
        ),
        lambda value, *_, **__: not isinstance(value, str) and written_length(value) > LARGEST_TEXT,
    ),
}  # of Jinja: whether the result is too large


def of_filter(name: str, values: tuple[Any, ...], named: Mapping[str, Any]) -> bool:
    """Tell whether what a filter makes is too large."""
    is_large = FILTERS.get(name)
    return is_large is not None and is_large(*values, **named)
