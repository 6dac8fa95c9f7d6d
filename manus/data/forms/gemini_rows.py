"""Reads Gemini's rows: `contents` of `role` and `parts`, `systemInstruction`, `tools`. Opens no medium."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.literals import shortened
from manus.data.forms.services import MEDIA, Turn, are_objects, chat_turn, texts_in, there_in
from manus.data.media.references import kind_of_file
from manus.data.sample import RowError

_SYSTEMS = ("systemInstruction", "system_instruction")


def is_gemini(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a conversation as Gemini has it."""
    turns = row.get("contents")
    return are_objects(turns) and any("parts" in turn for turn in turns)


def of_gemini(row: Columns) -> Columns:
    system = next((name for name in _SYSTEMS if not is_empty(row.get(name))), None)
    turns: list[Turn] = []
    if system is not None:
        given = row.take(system)
        parts = given.get("parts") if isinstance(given, Mapping) else None
        said = given if isinstance(given, str) else "".join(texts_in(parts, system))
        turns.append({"role": "system", "content": said})
    for number, turn in enumerate(row.take("contents"), 1):
        try:
            turns += _gemini_turn(row, turn)
        except ValueError as error:
            raise RowError(f"contents {number}: {error}") from None
    columns: dict[str, Any] = {"messages": turns}
    if not is_empty(row.get("tools")):
        columns["tools"] = _gemini_functions(row, row.take("tools"))
    return row.replaced(("contents", *_SYSTEMS, "tools"), **columns)


def _gemini_turn(row: Columns, turn: Mapping[str, Any]) -> list[Turn]:
    rest = {key: value for key, value in turn.items() if key not in ("parts", "role")}
    role = turn.get("role") or "user"
    thoughts, content, calls, results = (
        list[str](),
        list[dict[str, Any]](),
        list[dict[str, Any]](),
        list[Turn](),
    )
    parts = turn.get("parts")
    if not are_objects(parts):
        raise ValueError(f"a turn without parts: {shortened(dict(turn))}")
    for part in parts:
        there = there_in(part)
        is_thought = there.pop("thought", False) is True
        for name in ("thoughtSignature", "thought_signature"):  # of the service's own, says nothing
            there.pop(name, None)
        kind, value = _only(there, row, "contents[].parts[]")
        if kind == "text" and isinstance(value, str):
            if is_thought:
                thoughts.append(value)
            else:
                content.append({"type": "text", "text": value})
        elif kind == "functionCall" and isinstance(value, Mapping):
            calls.append(
                {"id": value.get("id"), "name": value.get("name"), "arguments": value.get("args") or {}}
            )
        elif kind == "functionResponse" and isinstance(value, Mapping):
            results.append(
                {"role": "tool", "tool_call_id": value.get("id"), "content": value.get("response")}
            )
        elif kind in ("inlineData", "fileData") and isinstance(value, Mapping):
            content.append(_gemini_medium(value))
        else:
            raise ValueError(f"a part that is not known: {shortened(there)}")
    if results and (content or calls or thoughts):
        raise ValueError("results of functions beside other parts; give them a turn of their own")
    return results or [chat_turn(str(role), rest, content, calls, thoughts)]


def _only(there: dict[str, Any], row: Columns, where: str) -> tuple[str, Any]:
    """Return what a part is, and note what it says beside that."""
    known = ("text", "functionCall", "functionResponse", "inlineData", "fileData")
    names = {
        "function_call": "functionCall",
        "function_response": "functionResponse",
        "inline_data": "inlineData",
        "file_data": "fileData",
    }
    found = [key for key in there if names.get(key, key) in known]
    if len(found) != 1:
        raise ValueError(f"a part that is not known: {shortened(there)}")
    for name in there.keys() - set(found):
        row.note(f"{where}.{name}")
    return names.get(found[0], found[0]), there[found[0]]


def _gemini_medium(value: Mapping[str, Any]) -> dict[str, Any]:
    address = next((value[key] for key in ("fileUri", "file_uri") if value.get(key) is not None), None)
    mime = str(value.get("mimeType") or value.get("mime_type") or "")
    kind = mime.partition("/")[0] or (kind_of_file(str(address)) if address else "")
    if kind not in MEDIA:
        raise ValueError(f"a file that is no image, video or audio: {mime or shortened(address)}")
    if address is None:
        return {
            "type": kind,
            kind: {"data": value.get("data")} if isinstance(value.get("data"), str) else value.get("data"),
        }
    return {"type": kind, kind: address}


def _gemini_functions(row: Columns, tools: Any) -> list[Any]:
    if not are_objects(tools):
        raise RowError(f"'tools' is {shortened(tools)}, not a list")
    functions: list[Any] = []
    for tool in tools:
        for name, value in there_in(tool).items():
            if name in ("functionDeclarations", "function_declarations") and isinstance(value, list | tuple):
                functions += value
            else:
                row.note(f"tools[].{name}")
    return functions
