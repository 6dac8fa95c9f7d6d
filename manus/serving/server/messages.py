"""What a conversation is in a request, and what becomes of it for the model. Knows nothing of endpoints."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from manus.data.forms.tool_format import render_tools
from manus.data.forms.turns import read_turns
from manus.data.sample import MediumKind, RowError
from manus.data.tokens.chat_templates import shown
from manus.serving.hosted import Asked, Hosted
from manus.serving.server.media import MediaDesk
from manus.serving.server.refusals import Refused
from manus.settings.frozen import Frozen

RESULT = "<tool_response>\n{}\n</tool_response>"  # where a template shows no turns of functions


class TextPart(Frozen):
    """Some text of a message."""

    type: Literal["text"]
    text: str


class RefusalPart(Frozen):
    """What an assistant said instead of an answer."""

    type: Literal["refusal"]
    refusal: str


class ImageAddress(Frozen):
    """Where a picture is; `detail` changes nothing, as the model sees every picture at its own resolution."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(Frozen):
    """A picture."""

    type: Literal["image_url"]
    image_url: ImageAddress


class Sound(Frozen):
    """A sound as base64; its format is found out from the bytes."""

    data: str
    format: str = ""


class AudioPart(Frozen):
    """A sound."""

    type: Literal["input_audio"]
    input_audio: Sound


class VideoAddress(Frozen):
    """Where a video is."""

    url: str


class VideoPart(Frozen):
    """A video, as vLLM and others write it."""

    type: Literal["video_url"]
    video_url: VideoAddress


class CalledFunction(Frozen):
    """The function that was called, its arguments as JSON."""

    name: str
    arguments: str


class ToolCall(Frozen):
    """A call that the assistant made."""

    id: str = ""
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None


UserPart = Annotated[TextPart | ImagePart | AudioPart | VideoPart, Field(discriminator="type")]


class System(Frozen):
    """What the model is told before everything else."""

    role: Literal["system", "developer"]
    content: str | list[TextPart]
    name: str | None = None


class User(Frozen):
    """What the user says and shows."""

    role: Literal["user"]
    content: str | list[UserPart]
    name: str | None = None


class Assistant(Frozen):
    """What the model said."""

    role: Literal["assistant"]
    content: str | list[Annotated[TextPart | RefusalPart, Field(discriminator="type")]] | None = None
    name: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None  # as clients send answers back
    audio: None = None
    function_call: None = None


class Tool(Frozen):
    """What a function gave back."""

    role: Literal["tool"]
    content: str | list[TextPart]
    tool_call_id: str
    name: str | None = None


Message = Annotated[System | User | Assistant | Tool, Field(discriminator="role")]


class Function(Frozen):
    """A function that the model may call."""

    name: str = Field(min_length=1, max_length=128, pattern=r"^[\w.-]+$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Frozen):
    """A function, as a tool."""

    type: Literal["function"]
    function: Function


def as_functions(tools: Sequence[FunctionTool]) -> list[dict[str, Any]]:
    """Return tools as Manus' form and templates take them."""
    return [
        {
            "name": tool.function.name,
            "description": tool.function.description or "",
            "parameters": tool.function.parameters or {"type": "object", "properties": {}},
        }
        for tool in tools
    ]


def for_model(
    hosted: Hosted, messages: Sequence[Any], tools: Sequence[Mapping[str, Any]], desk: MediaDesk
) -> Asked:
    """Return a conversation as the model takes it.

    Args:
        hosted: the model.
        messages: of a request.
        tools: functions that are shown, wherever this model looks for them.
        desk: decodes media.

    Raises:
        Refused: a medium cannot be used, or a call of an earlier turn cannot be read.
        InputError: the chat template refuses the conversation.
    """
    return put(hosted, [_turn(message, number, desk) for number, message in enumerate(messages)], tools)


def put(hosted: Hosted, turns: list[dict[str, Any]], tools: Sequence[Mapping[str, Any]]) -> Asked:
    """Return turns with media decoded and calls' arguments as objects, as the model takes them.

    Raises:
        Refused: a call of an earlier turn cannot be read.
        InputError: the chat template refuses the conversation.
    """
    if hosted.tools_in_system or not tools:
        try:
            turns = _in_our_form(turns)
        except (RowError, ValueError) as error:
            raise Refused(f"messages: {error}", param="messages") from None
        if tools:
            turns = _with_functions(turns, tools)
        turns = _results_shown(hosted, turns)
    if hosted.senses:
        turns = [
            {**turn, "content": _parts(turn["content"])} if turn["role"] == "user" else turn for turn in turns
        ]
    for turn in turns:
        if hosted.senses and isinstance(turn.get("content"), str):
            hosted.refuse_unmeant(turn["content"])
    shown_tools = [{"type": "function", "function": tool} for tool in tools]
    return hosted.asked(turns, None if hosted.tools_in_system else shown_tools)


def _turn(message: Any, number: int, desk: MediaDesk) -> dict[str, Any]:
    role = "system" if message.role == "developer" else message.role
    content = message.content
    if isinstance(content, list):
        parts = [
            _part(part, f"messages.{number}.content.{place}", desk) for place, part in enumerate(content)
        ]
        is_text = all(part["type"] == "text" for part in parts)
        content = "\n".join(part["text"] for part in parts) if is_text else parts
    turn: dict[str, Any] = {"role": role, "content": content or ""}
    if isinstance(message, Assistant):
        if message.reasoning_content:
            turn["reasoning_content"] = message.reasoning_content
        if message.tool_calls:
            turn["tool_calls"] = [
                {"id": call.id, "type": "function", "function": _called(call.function, number)}
                for call in message.tool_calls
            ]
    elif isinstance(message, Tool):
        turn |= {"tool_call_id": message.tool_call_id, **({"name": message.name} if message.name else {})}
    return turn


def _called(function: CalledFunction, number: int) -> dict[str, Any]:
    try:
        arguments = json.loads(function.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        param = f"messages.{number}.tool_calls"
        raise Refused(f"{param}: the arguments of {function.name!r} are no JSON object", param=param)
    return {"name": function.name, "arguments": arguments}


def _part(part: Any, place: str, desk: MediaDesk) -> dict[str, Any]:
    media: dict[str, tuple[MediumKind, str]] = {
        "image_url": ("image", "url"),
        "video_url": ("video", "url"),
        "input_audio": ("audio", "data"),
    }
    if part.type in media:
        kind, key = media[part.type]
        return desk.part(kind, getattr(getattr(part, part.type), key), place)
    return {"type": "text", "text": part.text if part.type == "text" else part.refusal}


def _parts(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _in_our_form(turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return turns with calls and results as text, in the form Manus teaches; turns with media stay as is."""
    found: list[dict[str, Any]] = []
    for has_parts, run in itertools.groupby(turns, key=lambda turn: isinstance(turn["content"], list)):
        rows = list(run)
        is_plain = has_parts or not any("tool_calls" in turn or turn["role"] == "tool" for turn in rows)
        found += rows if is_plain else [dict(message) for message in read_turns(rows)]
    return found


def _with_functions(turns: list[dict[str, Any]], tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    text = render_tools(tools)
    if not turns or turns[0]["role"] != "system":
        return [{"role": "system", "content": text}, *turns]
    own = turns[0]["content"]
    return [{**turns[0], "content": f"{own}\n\n{text}" if own else text}, *turns[1:]]


def _results_shown(hosted: Hosted, turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return turns with functions' results where the template has them: in their own turns or the user's."""
    if not any(turn["role"] == "tool" for turn in turns):
        return turns
    template = hosted.tokenizer.get_chat_template()
    told = shown(hosted.tokenizer, template, ("user", "assistant", "tool"))
    if told is not None and all(told):
        return turns
    return [
        {"role": "user", "content": RESULT.format(turn["content"])} if turn["role"] == "tool" else turn
        for turn in turns
    ]
