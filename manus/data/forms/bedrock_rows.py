"""Reads Bedrock's rows: `messages` of blocks without a type, `system`, `toolConfig`. Opens no medium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.literals import shortened
from manus.data.forms.services import MEDIA, Turn, are_objects, chat_turn, texts_in, there_in
from manus.data.sample import RowError

_BLOCKS = frozenset(
    [
        "text",
        "image",
        "video",
        "audio",
        "document",
        "toolUse",
        "toolResult",
        "reasoningContent",
        "guardContent",
        "cachePoint",
    ]
)


def is_bedrock(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a conversation of Bedrock's, by its version or its blocks without a type."""
    turns = row.get("messages")
    if not are_objects(turns):
        return False
    blocks = [block for turn in turns if are_objects(turn.get("content")) for block in turn["content"]]
    return bool(blocks) and all("type" not in block and there_in(block).keys() <= _BLOCKS for block in blocks)


def of_bedrock(row: Columns) -> Columns:
    row.take("schemaVersion")
    turns: list[Turn] = []
    if not is_empty(row.get("system")):
        given = row.take("system")
        turns.append(
            {
                "role": "system",
                "content": given if isinstance(given, str) else "\n".join(texts_in(given, "system")),
            }
        )
    for number, turn in enumerate(row.take("messages"), 1):
        try:
            turns += _bedrock_turn(turn)
        except ValueError as error:
            raise RowError(f"turn {number}: {error}") from None
    columns: dict[str, Any] = {"messages": turns}
    if isinstance(row.get("toolConfig"), Mapping):
        columns["tools"] = _bedrock_functions(row, row.take("toolConfig"))
    return row.replaced(("messages", "system", "toolConfig"), **columns)


def _bedrock_turn(turn: Mapping[str, Any]) -> list[Turn]:
    rest = {key: value for key, value in turn.items() if key not in ("content", "role")}
    blocks = turn.get("content")
    if not are_objects(blocks):
        return [dict(turn)]
    thoughts, content, calls, results = (
        list[str](),
        list[dict[str, Any]](),
        list[dict[str, Any]](),
        list[Turn](),
    )
    for block in map(there_in, blocks):
        (kind, value), *others = block.items() if block else [("nothing", None)]
        if others:
            raise ValueError(f"a block of several kinds: {', '.join(block)}")
        if kind == "text" and isinstance(value, str):
            content.append({"type": "text", "text": value})
        elif kind in MEDIA and isinstance(value, Mapping):
            content.append({"type": kind, kind: _bedrock_source(value.get("source"))})
        elif kind == "toolUse" and isinstance(value, Mapping):
            calls.append(
                {
                    "id": value.get("toolUseId"),
                    "name": value.get("name"),
                    "arguments": value.get("input") or {},
                }
            )
        elif kind == "toolResult" and isinstance(value, Mapping):
            results.append(
                {"role": "tool", "tool_call_id": value.get("toolUseId"), "content": _bedrock_result(value)}
            )
        elif (
            kind == "reasoningContent"
            and isinstance(value, Mapping)
            and isinstance(value.get("reasoningText"), Mapping)
        ):
            thoughts.append(str(value["reasoningText"].get("text")))
        elif kind != "cachePoint":
            raise ValueError(f"a block that is not read: {shortened(block)}")
    if not results:
        return [chat_turn(str(turn.get("role")), rest, content, calls, thoughts)]
    return [
        *results,
        *([chat_turn(str(turn.get("role")), rest, content, calls, thoughts)] if content or calls else []),
    ]


def _bedrock_source(source: Any) -> Any:
    if not isinstance(source, Mapping):
        raise ValueError(f"a medium without a source: {shortened(source)}")
    if isinstance(source.get("s3Location"), Mapping):
        return source["s3Location"].get("uri")
    given = source.get("bytes")
    return {"data": given} if isinstance(given, str) else {"bytes": given}


def _bedrock_result(value: Mapping[str, Any]) -> Any:
    blocks = [there_in(block) for block in value.get("content") or ()]
    if all(block.keys() == {"text"} for block in blocks):
        return "\n".join(str(block["text"]) for block in blocks)
    if len(blocks) == 1 and blocks[0].keys() == {"json"}:
        return blocks[0]["json"]
    raise ValueError(f"a result that is neither texts nor one JSON value: {shortened(blocks)}")


def _bedrock_functions(row: Columns, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    functions: list[dict[str, Any]] = []
    for name in there_in(config).keys() - {"tools"}:
        row.note(f"toolConfig.{name}")
    for tool in config.get("tools") or ():
        spec = tool.get("toolSpec") if isinstance(tool, Mapping) else None
        if not isinstance(spec, Mapping):
            continue  # a cachePoint
        schema = spec.get("inputSchema")
        given = (
            schema.get("json") if isinstance(schema, Mapping) and schema.get("json") is not None else schema
        )
        functions.append(
            {"name": spec.get("name"), "description": spec.get("description"), "parameters": given}
        )
    return functions
