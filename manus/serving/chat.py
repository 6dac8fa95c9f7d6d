"""Talks with a model in a terminal, or asks it one question. Knows nothing of how models answer."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from manus.errors import InputError, ManusError, did_you_mean
from manus.files import at_home

if TYPE_CHECKING:
    from rich.console import Console

    from manus.data.sample import MediumKind
    from manus.serving.conversation import Conversation
    from manus.serving.remote import RemoteConversation

    Held = Conversation | RemoteConversation

FLAGS: tuple[MediumKind, ...] = ("image", "video", "audio")
COMMANDS = {
    "/image FILE": "attach a picture to the next message",
    "/video FILE": "attach a video",
    "/audio FILE": "attach a sound",
    "/reset": "forget the conversation",
    "/quit": "end; so does Ctrl-D",
}


def check_senses(
    modalities: Mapping[str, bool], model: str, media: Mapping[MediumKind, Sequence[Path]]
) -> None:
    """Refuse media that a model cannot take, before it is loaded.

    Args:
        modalities: what the model's configuration says.
        model: its name, for the message.
        media: the files by kind.

    Raises:
        InputError: a sense is missing; names flag and file.
    """
    needed = {"image": "vision", "video": "video", "audio": "audio_in"}
    for kind, files in media.items():
        if files and not modalities[needed[kind]]:
            has = ", ".join(name for name, is_there in modalities.items() if is_there)
            raise InputError(f"--{kind} {files[0]}: {model} has no {needed[kind]}; it has {has}")


def attach_all(conversation: Held, media: Mapping[MediumKind, Sequence[Path]]) -> None:
    """Attach the files given on the command line.

    Raises:
        InputError: one cannot be used; names flag and file.
    """
    for kind, files in media.items():
        for file in files:
            try:
                conversation.attach(kind, file)
            except InputError as error:
                raise type(error)(f"--{kind} {error}") from None


def ask_once(conversation: Held, question: str, as_json: bool) -> None:
    """Ask one question and print the answer, as it comes or as JSON."""
    if not question.strip():
        raise InputError('there is no question; give one with --once "..." or on stdin')
    for piece in conversation.reply(question):
        if not as_json:
            print(piece, end="", flush=True)
    print(json.dumps(conversation.last.to_json(), ensure_ascii=False) if as_json else "")


def talk(conversation: Held, console: Console) -> None:
    """Hold a conversation until /quit or the end of input. Ctrl-C stops an answer, not the conversation."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (input() then has a history and arrow keys)
    console.print(f"[bold]{conversation.folder.name}[/bold]  takes {_taken(conversation)}", highlight=False)
    console.print("  ".join(name for name in COMMANDS), style="dim", highlight=False, markup=False)
    for line in _lines(console):
        try:
            if line.startswith("/"):
                if _obey(conversation, console, line):
                    return
            elif line.strip():
                _answer(conversation, console, line)
        except ManusError as error:
            console.print(str(error), style="red", markup=False, highlight=False)


def _taken(conversation: Held) -> str:
    return ", ".join(["text", *sorted(conversation.senses)])


def _lines(console: Console) -> Iterator[str]:
    """Yield what is typed; an interrupted line is dropped."""
    while True:
        try:
            yield console.input("[bold cyan]> [/bold cyan]")
        except EOFError:
            console.print()
            return
        except KeyboardInterrupt:
            console.print("\n/quit or Ctrl-D ends", style="dim")


def _answer(conversation: Held, console: Console, question: str) -> None:
    pieces = conversation.reply(question)
    try:
        for piece in pieces:
            console.out(piece, end="", highlight=False)
            console.file.flush()
    except KeyboardInterrupt:
        pieces.close()  # type: ignore[attr-defined]
    console.print()
    last = conversation.last
    speed = last.tokens / last.seconds if last.seconds else 0.0
    told = f"{last.tokens} tokens, first after {last.first_token_seconds:.2f} s, {speed:.1f} tokens/s"
    console.print(told + (", stopped" if last.was_stopped else ""), style="dim", highlight=False)


def _obey(conversation: Held, console: Console, line: str) -> bool:
    """Carry out a command; True ends the conversation."""
    name, _, rest = line.strip().partition(" ")
    known = {command.split()[0] for command in COMMANDS}
    if name == "/quit":
        return True
    if name == "/reset":
        conversation.reset()
        console.print("forgotten", style="dim")
    elif name.removeprefix("/") in FLAGS:
        if not rest.strip():
            raise InputError(f"{name} needs a file: {name} FILE")
        file = at_home(rest.strip().strip("'\""))
        conversation.attach(name.removeprefix("/"), file)  # type: ignore[arg-type]
        console.print(f"{file.name} goes with the next message", style="dim", highlight=False, markup=False)
    else:
        raise InputError(f"{name} is no command; {did_you_mean(name, known)}")
    return False


def quiet_libraries() -> None:
    """Keep libraries' warnings and progress bars out of a conversation; call it before that is imported."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def is_typed() -> bool:
    """Tell whether a person sits at the input."""
    return sys.stdin.isatty()
