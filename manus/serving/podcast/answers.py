"""Keeps the answers that a script is written from, so that an interrupted writer goes on. Asks no model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from manus.files import json_line

# A prompt, the longest answer in tokens, and which try it is: the first takes the likeliest tokens, later ones draw.
Ask = Callable[[str, int, int], str]


def remembering(ask: Ask, model: Path, file: Path) -> Ask:
    """Return what asks as `ask` does, and keeps each answer in a file: who was interrupted goes on from there.

    Args:
        ask: what asks the model.
        model: its folder; answers of another one, or of one that was trained on since, are not taken.
        file: of answers, a line each; it may be deleted at any time.
    """
    stamp = [str(model.resolve()), *sorted((p.name, p.stat().st_mtime_ns) for p in model.glob("*.*"))]
    known = _answers(file)

    def asked(prompt: str, most_tokens: int, attempt: int) -> str:
        key = hashlib.sha256(json.dumps([stamp, prompt, most_tokens, attempt]).encode()).hexdigest()
        if key not in known:
            known[key] = ask(prompt, most_tokens, attempt)
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab") as stream:
                stream.write(json_line([key, known[key]]))
        return known[key]

    return asked


def _answers(file: Path) -> dict[str, str]:
    """Return the answers that a file holds; a line that a kill tore is asked anew."""
    known = dict[str, str]()
    for line in file.read_bytes().split(b"\n") if file.is_file() else ():
        try:
            key, answer = json.loads(line)
        except ValueError:
            continue
        known[str(key)] = str(answer)
    return known
