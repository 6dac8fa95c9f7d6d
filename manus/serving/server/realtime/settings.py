"""What a session of `/v1/realtime` may be set to. Settings that no model here can follow are only named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from manus.serving.server.refusals import Refused
from manus.settings.frozen import Frozen

# Keys of a session that are taken and change nothing, as `session.updated` says in `not_supported`.
UNUSED = ("tracing", "prompt", "include", "voice", "speed")
UNUSED_INPUT = ("transcription", "noise_reduction")


TEXT_ONLY: list[Literal["text"]] = ["text"]


class Pcm(Frozen):
    """Sound as 16-bit PCM."""

    type: Literal["audio/pcm"]
    rate: Literal[24000] = 24000


class Detection(Frozen):
    """When a turn of the user's is over: by its silences."""

    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(0.5, gt=0, lt=1)
    prefix_padding_ms: int = Field(300, ge=0, le=5000)
    silence_duration_ms: int = Field(500, ge=50, le=10_000)
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: None = None


class Input(Frozen):
    """How the user is heard."""

    format: Pcm = Pcm(type="audio/pcm")
    turn_detection: Detection | None = Detection()


class Audio(Frozen):
    """Sound in; sound out is not there yet."""

    input: Input = Input()


class Function(Frozen):
    """A function that the model may call."""

    type: Literal["function"] = "function"
    name: str = Field(min_length=1, max_length=128, pattern=r"^[\w.-]+$")
    description: str | None = None
    parameters: dict[str, Any] | None = None

    @property
    def shown(self) -> dict[str, Any]:
        """The function as models are shown it."""
        parameters = self.parameters or {"type": "object", "properties": {}}
        return {"name": self.name, "description": self.description or "", "parameters": parameters}


class NamedTool(Frozen):
    """The function that must be called."""

    type: Literal["function"]
    name: str


class Session(Frozen):
    """All that can be set."""

    type: Literal["realtime"] = "realtime"
    model: str | None = None
    instructions: str = ""
    output_modalities: list[Literal["text"]] = Field(default_factory=TEXT_ONLY.copy, min_length=1)
    tools: list[Function] = Field(default_factory=list)
    tool_choice: Literal["none", "auto", "required"] | NamedTool = "auto"
    parallel_tool_calls: bool = True
    max_output_tokens: Annotated[int, Field(ge=1)] | Literal["inf"] = "inf"
    temperature: float | None = Field(None, ge=0, le=2)
    truncation: Literal["auto", "disabled"] = "auto"
    audio: Audio = Audio()


class ResponseSettings(Frozen):
    """What one answer has otherwise than the session."""

    instructions: str | None = None
    output_modalities: Annotated[list[Literal["text"]], Field(min_length=1)] | None = None
    tools: list[Function] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | Literal["inf"] | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    conversation: Literal["auto", "none"] = "auto"
    metadata: dict[str, str] | None = None


def usable(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what a client sets without what no model here can do, and the names of that.

    Raises:
        Refused: speech is asked for, which would not come.
    """
    if "audio" in (given.get("output_modalities") or ()):
        raise Refused(
            "answers here are text; set output_modalities to ['text']", 501, "session.output_modalities"
        )
    unused = [name for name in UNUSED if given.get(name) is not None]
    kept = {name: value for name, value in given.items() if name not in UNUSED}
    audio = kept.get("audio")
    if isinstance(audio, Mapping):
        heard = audio.get("input")
        if audio.get("output") is not None:
            unused.append("audio.output")
        if isinstance(heard, Mapping):
            unused += [f"audio.input.{name}" for name in UNUSED_INPUT if heard.get(name) is not None]
            heard = {name: value for name, value in heard.items() if name not in UNUSED_INPUT}
            heard, unheard = _by_silences(heard)
            kept["audio"], unused = {"input": heard}, [*unused, *unheard]
        else:
            kept.pop("audio")
    return kept, unused


def _by_silences(heard: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return how the user is heard where that was to be by what is said, which no model tells; its names."""
    detection = heard.get("turn_detection")
    if not isinstance(detection, Mapping):
        return heard, []
    place = "audio.input.turn_detection"
    unused = [f"{place}.eagerness"] if detection.get("eagerness") is not None else []
    detection = {name: value for name, value in detection.items() if name != "eagerness"}
    if detection.get("type") == "semantic_vad":
        detection["type"] = "server_vad"
        unused.append(f"{place}.type=semantic_vad")
    return {**heard, "turn_detection": detection}, unused


def merged(old: Any, new: Any) -> Any:
    """Return settings in which what is new stands in place of what was there, mapping by mapping."""
    if (
        isinstance(old, Mapping)
        and isinstance(new, Mapping)
        and old.get("type") == new.get("type", old.get("type"))
    ):
        return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}
    return new
