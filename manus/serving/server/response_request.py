"""What a request to `/v1/responses` may hold, and which chat it is. Knows nothing of answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from manus.serving.server.chat_completions import ChatRequest
from manus.serving.server.reading import parsed, some
from manus.settings.frozen import Frozen

NOT_BUILT = {
    "background": "answers are given while the client waits",
    "background_options": "answers are given while the client waits",
    "conversation": "nothing is kept; send the whole conversation as 'input'",
    "previous_response_id": "nothing is kept; send the whole conversation as 'input'",
    "prompt": "nothing is kept; send the text",
    "moderation": "nothing is moderated here",
    "context_management": "nothing is shortened",
    "image": "this model draws no pictures",
    "access_programs": "there are none",
    "prompt_cache_options": "there is no cache of prompts to set",
    "max_tool_calls": "only functions of the client are called",
}


class InputText(Frozen):
    """Some text."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class InputImage(Frozen):
    """A picture."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class InputAudio(Frozen):
    """A sound."""

    type: Literal["input_audio"]
    input_audio: dict[str, str]


InputPart = Annotated[InputText | InputImage | InputAudio, Field(discriminator="type")]


class InputMessage(Frozen):
    """A turn."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[InputPart]
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class InputCall(Frozen):
    """A call that the model made."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: str | None = None


class InputResult(Frozen):
    """What a function gave back."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[InputText]
    id: str | None = None
    status: str | None = None


class InputThought(Frozen):
    """What the model thought before; it is not shown to it again."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: list[Any] | None = None
    content: list[Any] | None = None
    encrypted_content: str | None = None
    status: str | None = None


class FunctionTool(Frozen):
    """A function that may be called."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedTool(Frozen):
    """The function that must be called."""

    type: Literal["function"]
    name: str


class TextSettings(Frozen):
    """What the answer's text must be."""

    format: dict[str, Any] | None = None
    verbosity: None = None


class ReasoningSettings(Frozen):
    """How much is thought; models here have no such setting, so only what says nothing is taken."""

    effort: None = None
    summary: Literal["auto"] | None = None


class StreamOptions(Frozen):
    """What else a stream has."""

    include_obfuscation: bool | None = None


class ResponseRequest(Frozen):
    """The body of a request."""

    model: str = ""
    input: str | list[InputMessage | InputCall | InputResult | InputThought] = Field(min_length=1)
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_logprobs: Literal[0] | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    text: TextSettings | None = None
    reasoning: ReasoningSettings | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    store: bool | None = (
        None  # nothing is kept: true, the interface's own default, only says that it might be
    )
    include: list[Literal["reasoning.encrypted_content"]] | None = None  # thoughts are open here
    truncation: Literal["disabled"] | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    service_tier: Literal["auto", "default"] | None = None

    def as_chat(self) -> ChatRequest:
        """Return the same request as a chat's."""
        messages = [{"role": "system", "content": self.instructions}] if self.instructions else []
        items: Sequence[Any] = self.input if isinstance(self.input, list) else []
        if isinstance(self.input, str):
            messages.append({"role": "user", "content": self.input})
        for item in items:
            _append(messages, item)
        choice: Any = self.tool_choice
        if isinstance(choice, NamedTool):
            choice = {"type": "function", "function": {"name": choice.name}}
        tools = [
            {"type": "function", "function": tool.model_dump(exclude={"type"})} for tool in self.tools or []
        ]
        form = dict(self.text.format) if self.text is not None and self.text.format is not None else None
        if form is not None and form.get("type") == "json_schema":
            form = {
                "type": "json_schema",
                "json_schema": {key: value for key, value in form.items() if key != "type"},
            }
        body = {
            "model": self.model,
            "messages": messages,
            "max_completion_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "tools": tools or None,
            "tool_choice": choice,
            "parallel_tool_calls": self.parallel_tool_calls,
            "response_format": form,
        }
        return parsed(ChatRequest, json.dumps(some(body)).encode(), {})


def _append(messages: list[dict[str, Any]], item: Any) -> None:
    """Add an item of the input to a chat's messages; calls that follow each other are one turn's."""
    if isinstance(item, InputCall):
        call = {"id": item.call_id, "function": {"name": item.name, "arguments": item.arguments}}
        if messages and messages[-1]["role"] == "assistant":
            messages[-1].setdefault("tool_calls", []).append(call)
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif isinstance(item, InputResult):
        output = item.output if isinstance(item.output, str) else "\n".join(part.text for part in item.output)
        messages.append({"role": "tool", "tool_call_id": item.call_id, "content": output})
    elif isinstance(item, InputMessage):
        content = item.content if isinstance(item.content, str) else [_part(part) for part in item.content]
        messages.append({"role": item.role, "content": content})


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, InputText):
        return {"type": "text", "text": part.text}
    if isinstance(part, InputImage):
        return {"type": "image_url", "image_url": some({"url": part.image_url, "detail": part.detail})}
    return {"type": "input_audio", "input_audio": part.input_audio}
