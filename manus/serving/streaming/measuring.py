"""Tries a model's streams, in process and through the server, and measures them. Knows nothing of recipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from manus.capabilities.streaming import Settings
from manus.errors import InputError, ModelError
from manus.guards.memory import Parked
from manus.guards.progress import progress
from manus.guards.run import RUN, Work
from manus.models.generation.engine import Engine
from manus.models.generation.questions import Drawing, Question
from manus.serving.hosted import Hosted
from manus.serving.server.access import Access
from manus.serving.server.background import in_background
from manus.serving.server.limits import Limits
from manus.serving.server.running import service_of
from manus.serving.streaming import in_process
from manus.serving.streaming.client import Asking, Wanted
from manus.serving.streaming.equality import Said, comparison
from manus.serving.streaming.latency import Arrivals, summary
from manus.serving.streaming.questions import FIXED, Conversation

STREAMS = (1, 8)
TITLE = "streaming"


@dataclass(frozen=True, slots=True)
class Put:
    """A conversation that is put to the model: the stage that holds it out, its turns, its tokens."""

    stage: str
    conversation: Conversation
    ids: list[int]


def measured(
    folder: Path, asked: Sequence[tuple[str, Conversation]], settings: Settings, seed: int
) -> tuple[dict[str, Any], dict[int, list[Arrivals]]]:
    """Return what was compared and timed, and when each timed answer's pieces came, by number of streams.

    Args:
        folder: of the model.
        asked: what it is asked, each with the stage that holds it out. Where none leaves room for an answer,
            fixed questions are asked. The first `settings.questions` are answered both ways.
        settings: of the probe.
        seed: of the draws.

    Raises:
        ModelError: the model cannot be loaded, or reads no question with an answer behind it.
        ManusError: the server does not answer.
        Interrupted: a signal came.
    """
    hosted = Hosted.load(folder, TITLE)
    parked = Parked(hosted.model)
    work = Work(None, parked.park, parked.unpark)
    put = _fitting(hosted, asked, settings.max_new_tokens)
    compared = list(islice(put, settings.questions))
    told = [one.conversation[-1]["content"] for one in compared]
    drawings = {"greedy": 0.0, "drawn": settings.temperature}
    comparisons = []
    for name, temperature in drawings.items():
        RUN.cross(TITLE, work=work)
        questions = [
            Question(one.ids, _drawing(hosted, settings, temperature, seed + number))
            for number, one in enumerate(compared)
        ]
        whole = in_process.at_once(_engine(hosted), hosted.tokenizer, questions)
        pieces = in_process.streamed(_engine(hosted), hosted.tokenizer, questions)
        comparisons.append(comparison("in process", name, whole, pieces, told))
    arrivals: dict[int, list[Arrivals]] = {}
    loads = []
    service = service_of(hosted, Limits(), Access())
    with in_background(service) as address, Asking(address) as client:
        client.at_once(
            compared[0].conversation, Wanted(settings.max_new_tokens)
        )  # the first answer of a server is slower
        for name, temperature in drawings.items():
            answers, timed = _both_ways(client, compared, settings, temperature, seed, work, name)
            comparisons.append(comparison("server", name, *answers, told))
            if name == "greedy":
                arrivals[1] = timed
        loads.append(summary(1, [[one] for one in arrivals[1]]))
        for streams in STREAMS[1:]:
            RUN.cross(TITLE, work=work)
            together = [one.conversation for one in islice(cycle(put), streams)]
            arrivals[streams] = client.side_by_side(together, Wanted(settings.max_new_tokens))
            loads.append(summary(streams, [arrivals[streams]]))
    found = {
        "is_equal": all(one["equal"] == one["answers"] for one in comparisons),
        "comparisons": comparisons,
        "loads": loads,
        "asked": dict(Counter(one.stage or "fixed questions" for one in compared)),
        "device": str(hosted.model.device.type),
        "dtype": str(hosted.model.dtype).removeprefix("torch."),
    }
    return found, arrivals


def _both_ways(
    client: Asking,
    compared: Sequence[Put],
    settings: Settings,
    temperature: float,
    seed: int,
    work: Work,
    name: str,
) -> tuple[tuple[list[Said], list[Said]], list[Arrivals]]:
    """Return what the server says at once and streamed, each question alone, and when the pieces came."""
    whole: list[Said] = []
    pieces: list[Said] = []
    timed: list[Arrivals] = []
    with progress(f"{TITLE}, {name}", len(compared), "answers") as advance:
        for number, one in enumerate(compared):
            RUN.cross(TITLE, work=work)
            wanted = Wanted(settings.max_new_tokens, temperature, seed + number)
            whole.append(client.at_once(one.conversation, wanted))
            said, arrived = client.streamed(one.conversation, wanted)
            pieces.append(said)
            timed.append(arrived)
            advance(number + 1)
    return (whole, pieces), timed


def _fitting(hosted: Hosted, asked: Sequence[tuple[str, Conversation]], max_new_tokens: int) -> list[Put]:
    """Return what leaves room for whole answers, and fixed questions where none does.

    Raises:
        ModelError: not even those do.
    """
    for conversations in (asked, [("", [{"role": "user", "content": text}]) for text in FIXED]):
        put = [
            Put(stage, one, hosted.asked(one, None).ids)
            for stage, one in conversations
            if _is_text(hosted, one)
        ]
        most = hosted.context
        found = [one for one in put if most is None or len(one.ids) + max_new_tokens <= most]
        if found:
            return found
    raise ModelError(
        f"the model reads {hosted.context} tokens, which leaves no room for a question and an answer of "
        f"{max_new_tokens}; lower max_new_tokens in the probe of `streaming`"
    )


def _is_text(hosted: Hosted, conversation: Conversation) -> bool:
    """Tell whether no turn holds what stands for a medium, which servers refuse in a text."""
    try:
        for turn in conversation:
            hosted.refuse_unmeant(turn["content"])
    except InputError:
        return False
    return True


def _drawing(hosted: Hosted, settings: Settings, temperature: float, seed: int) -> Drawing:
    return Drawing(
        max_new_tokens=settings.max_new_tokens, ends=hosted.ends, temperature=temperature, seed=seed
    )


def _engine(hosted: Hosted) -> Engine:
    return Engine(hosted.model, pad_token_id=int(hosted.tokenizer.pad_token_id))  # type: ignore[arg-type]
