"""Turns functions, as peers describe them, into JSON Schema. Knows nothing of calls or rows.

Every function becomes `{"name", "description", "parameters"}`, its parameters an object schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from manus.data.forms.calls import Call
from manus.data.forms.columns import is_empty
from manus.data.forms.literals import read_first, read_literal, read_sequence, shortened
from manus.data.forms.tool_format import compact_json
from manus.data.strict_json import RepeatedKey

Tool = dict[str, Any]

_JSON_TYPES = {"string", "integer", "number", "boolean", "array", "object", "null"}

# Names of types in xlam, BFCL and hand-written data; None means anything goes.
_TYPES: dict[str, str | None] = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "set": "array",
    "sequence": "array",
    "dict": "object",
    "mapping": "object",
    "any": None,
}

_PARAMETERS = ("parameters", "input_schema", "inputSchema", "inputs", "arguments")
_RESULTS = (
    "returns",
    "return",
    "response",
    "responses",
    "output",
    "outputs",
    "output_schema",
    "outputSchema",
    "results",
)
_KEYS_OF_TOOLS = frozenset(
    ["type", "function", "name", "description", "required", "cache_control", *_PARAMETERS]
)
_GIVEN = frozenset(["default", "enum", "const", "examples"])
_GENERIC = re.compile(r"(?P<outer>\w+)\[(?P<inner>.*)\]", re.DOTALL)
_LISTED = re.compile(r"""[\[{]\s*(?:\{\s*)?["']name["']\s*:""")
_BLOCK = re.compile(r"<tools>(.*?)</tools>", re.DOTALL)


def read_tools(value: Any) -> list[Tool]:
    """Return the functions in `value`: a list, one mapping, or the text of either; None has none.

    Raises:
        ValueError: something is not a function.
    """
    if value is None or value == "":
        return []
    if isinstance(value, str):
        value = read_sequence(value)
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list | tuple):
        raise ValueError(f"tools are a list of functions, not {shortened(value)}")
    return [as_tool(read_literal(item) if isinstance(item, str) else item) for item in value]


def unread_keys_of_tools(value: Any) -> set[str]:
    """Return which keys of functions, as `returns`, hold something that nothing reads."""
    if isinstance(value, str) and value:
        value = read_sequence(value)
    found: set[str] = set()
    for item in value if isinstance(value, list | tuple) else [value]:
        tool = read_literal(item) if isinstance(item, str) else item
        for part in (tool, tool.get("function")) if isinstance(tool, Mapping) else ():
            if isinstance(part, Mapping):
                found |= {str(key) for key in part.keys() - _KEYS_OF_TOOLS if not is_empty(part[key])}
    return found


def tools_within(text: str) -> list[Tool]:
    """Return the functions that a system text lists: between <tools> and </tools>, or as JSON at its end.

    Raises:
        ValueError: the block does not hold functions.
    """
    # Hermes' own instruction mentions an empty pair of tags before the real one.
    filled = [block for block in _BLOCK.findall(text) if block.strip()]
    if filled:
        return read_tools(filled[-1])
    # Glaive: "... access to the following functions. Use them if required -", then one object after another.
    # ToolACE: a list among other words.
    found = _LISTED.search(text)
    listed = _values_from(text, found.start()) if found else []
    described = all(isinstance(item, Mapping) and _parameters_of(item) is not None for item in listed)
    return read_tools(listed) if described else []


def _values_from(text: str, start: int) -> list[Any]:
    """Return the JSON values that follow each other from a place on, those of a list one by one.

    Other words may come behind them.
    """
    values: list[Any] = []
    while start < len(text):
        try:
            value, start = read_first(text, start)
        except RepeatedKey:
            raise
        except ValueError:
            break
        values += value if isinstance(value, list) else [value]
    if values:
        return values
    try:
        return read_sequence(text[start:])
    except RepeatedKey:
        raise
    except ValueError:
        return []


def as_tool(raw: Any) -> Tool:
    """Return one function with its parameters as an object schema.

    Takes OpenAI's wrapper, a bare function with JSON Schema (also as Anthropic's `input_schema` and MCP's
    `inputSchema`), and xlam's `{name: {description, type, default}}`, where a parameter without a default
    that is not called optional is required.

    Raises:
        ValueError: it has no name, or its parameters are no object of JSON values.
    """
    if isinstance(raw, Mapping) and isinstance(raw.get("function"), Mapping):
        raw = raw["function"]
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str) or not raw["name"].strip():
        raise ValueError(f"a function without a name: {shortened(raw)}")
    parameters = _parameters_of(raw) or {}
    if isinstance(parameters, str):
        parameters = read_literal(parameters)
    if not isinstance(parameters, Mapping):
        raise ValueError(f"the parameters of {raw['name']!r} are not an object")
    parameters = _without_nulls(parameters)
    described = {"description": raw["description"]} if raw.get("description") else {}
    is_schema = _is_schema(parameters)
    schema = _object_schema(parameters, raw.get("required")) if is_schema else _xlam_schema(parameters)
    tool = {"name": raw["name"].strip(), **described, "parameters": schema}
    compact_json(tool)  # refuses what Parquet can hold and JSON cannot
    return tool


def _without_nulls(value: Any) -> Any:
    """Return a schema without the nulls Arrow gives each object, at any depth; given values stay."""
    if isinstance(value, Mapping):
        there = {key: item for key, item in value.items() if item is not None}
        return {key: item if key in _GIVEN else _without_nulls(item) for key, item in there.items()}
    return [_without_nulls(item) for item in value] if isinstance(value, list | tuple) else value


def _parameters_of(raw: Mapping[str, Any]) -> Any:
    """Return how a function describes its parameters, None where it does not.

    Raises:
        ValueError: it describes them under a name that nobody knows.
    """
    body = raw["function"] if isinstance(raw.get("function"), Mapping) else raw
    found = next((body[key] for key in _PARAMETERS if body.get(key) is not None), None)
    if found is None:
        unknown = (key for key, value in body.items() if isinstance(value, Mapping) and key not in _RESULTS)
        other = next((key for key in unknown if isinstance(body[key].get("properties"), Mapping)), None)
        if other is not None:
            raise ValueError(
                f"the parameters of {body.get('name')!r} stand under {other!r}; call that 'parameters'"
            )
    return found


def fitted_call(call: Call, tools: Sequence[Tool]) -> Call:
    """Return a call without the nulls that Arrow gives it for arguments of others, or for those left out.

    A null stays where the function has that argument and needs it, or takes null; a call of an unknown
    function stays.
    """
    schema = next((tool["parameters"] for tool in tools if tool["name"] == call["name"]), None)
    return (
        call if schema is None else {**call, "arguments": _without_foreign_nulls(call["arguments"], schema)}
    )


def _without_foreign_nulls(value: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    kept: dict[str, Any] = {}
    for name, given in value.items():
        described = properties.get(name)
        if given is None and (described is None or not (name in required or _takes_null(described))):
            continue
        if isinstance(given, Mapping) and isinstance(described, Mapping) and described.get("properties"):
            given = _without_foreign_nulls(given, described)
        kept[name] = given
    return kept


def _takes_null(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    return (
        kinds is None
        or "null" in ([kinds] if isinstance(kinds, str) else kinds)
        or schema.get("nullable") is True
        or ("default" in schema and schema["default"] is None)
    )


def _is_schema(parameters: Mapping[str, Any]) -> bool:
    # A parameter may itself be called "type" or "properties"; then its value is a description of it.
    if "type" in parameters:
        return not isinstance(parameters["type"], Mapping)
    listed = parameters.get("properties")
    return isinstance(listed, Mapping) and all(isinstance(item, Mapping) for item in listed.values())


def _object_schema(parameters: Mapping[str, Any], required_beside: Any) -> dict[str, Any]:
    properties = parameters.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise ValueError(f"the properties of a function are not an object: {shortened(properties)}")
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    # Data sets that went through Arrow give every function the properties of all others, as nulls.
    for name, described in properties.items():
        if described is not None:
            schema["properties"][name] = _property(described)[0]
    required = parameters.get("required") or required_beside or []
    if isinstance(required, list | tuple):
        required = [
            *required,
            *(name for name, described in properties.items() if _says_required(described) is True),
        ]
    if isinstance(required, list | tuple) and required:
        schema["required"] = [name for name in schema["properties"] if name in required]
    # `$defs`, `additionalProperties` and the like stay as they are.
    extra = {key: item for key, item in parameters.items() if key not in ("type", "properties", "required")}
    return schema | {key: item for key, item in extra.items() if item is not None}


def _xlam_schema(parameters: Mapping[str, Any]) -> dict[str, Any]:
    properties, required = {}, []
    for name, described in parameters.items():
        properties[name], optional = _property(described)
        has_default = isinstance(described, Mapping) and "default" in described
        said = _says_required(described)
        if said if said is not None else not optional and not has_default:
            required.append(name)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})


def _says_required(described: Any) -> bool | None:
    """Return whether a parameter says of itself that it is needed; None where it does not."""
    said = described.get("required") if isinstance(described, Mapping) else None
    return said if isinstance(said, bool) else None


def _property(described: Any) -> tuple[dict[str, Any], bool]:
    """Return a property's schema, and whether its type says that it is optional."""
    if isinstance(described, str):
        described = {"type": described}
    if not isinstance(described, Mapping):
        raise ValueError(f"a parameter is described by an object, not {shortened(described)}")
    schema = {key: item for key, item in described.items() if item is not None}
    if isinstance(schema.get("required"), bool):  # which the object says in its list
        del schema["required"]
    optional = False
    if isinstance(schema.get("type"), str):
        typed, optional = _typed(schema.pop("type"))
        schema = typed | schema
    if isinstance(schema.get("items"), Mapping | str):
        schema["items"] = _property(schema["items"])[0]
    if isinstance(schema.get("properties"), Mapping):
        schema["properties"] = {
            name: _property(item)[0] for name, item in schema["properties"].items() if item is not None
        }
    return schema, optional


def _typed(text: str) -> tuple[dict[str, Any], bool]:
    """Return the schema that a type's name stands for, and whether it is optional."""
    name, *notes = [part.strip() for part in _split_outside_brackets(text)]
    optional = any(note.lower().startswith("optional") for note in notes)
    generic = _GENERIC.fullmatch(name)
    if generic and generic["outer"].lower() == "optional":
        return _typed(generic["inner"])[0], True
    word = (generic["outer"] if generic else name).lower()
    kind = word if word in _JSON_TYPES else _TYPES.get(word)
    schema: dict[str, Any] = {"type": kind} if kind else {}
    if generic and kind == "array":
        items = _typed(generic["inner"])[0]
        schema |= {"items": items} if items else {}
    return schema, optional


def _split_outside_brackets(text: str) -> list[str]:
    # "Dict[str, int], optional" has two parts, not three.
    parts, depth = [""], 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
