"""A speaker of tones, as loud and long as a text has words, and a model that answers as a script's writer should."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt

from manus.errors import Interrupted


class Tones:
    """Each voice has a pitch, each word .3 s. It notes what it spoke; it is stopped before a turn if asked to."""

    def __init__(self, identity: str = "tones", stop_before: int | None = None) -> None:
        self.identity = identity
        self.voices = ("low", "high")
        self.sample_rate = 24_000
        self.spoken: list[tuple[str, str]] = []
        self.stop_before = stop_before

    def speak(self, text: str, voice: str) -> npt.NDArray[np.float32]:
        if len(self.spoken) == self.stop_before:
            raise Interrupted("SIGTERM while speaking")
        self.spoken.append((text, voice))
        seconds = np.arange(int(0.3 * len(text.split()) * self.sample_rate)) / self.sample_rate
        loud = {"low": 0.3, "high": 0.03}[voice] * (1 + 0.5 * np.sin(2 * np.pi * 3 * seconds))
        return (loud * np.sin(2 * np.pi * {"low": 200, "high": 400}[voice] * seconds)).astype(np.float32)


def answering(prompt: str, most_tokens: int, attempt: int) -> str:
    """Answer like a model that has learned the form: headings over the first sentences, sentences in other order."""
    shown = {int(number): text for number, text in re.findall(r"^\[(\d+)\] (.+)$", prompt, re.MULTILINE)}
    if outline := re.search(r"Choose the (\d+) sentences .* at most (\d+) headings", prompt):
        numbers = list(shown)[: int(outline[1])]
        half = len(numbers) // 2 if int(outline[2]) > 1 else 0
        parts = [part for part in (numbers[:half], numbers[half:]) if part]
        return "\n".join(f"Part from {part[0]}: {', '.join(map(str, part))}" for part in parts)
    if about := re.search(r"about sentence \[(\d+)\]", prompt):
        words = shown[int(about[1])].rstrip(".").split()
        turned = " ".join([*words[len(words) // 2 :], *words[: len(words) // 2]])
        again = f"So, {turned}, right?" if turned in prompt else f"Well, {turned}."
        return f"[{about[1]}] {again if turned not in prompt else f'Yes: {chr(32).join(reversed(words))}.'}"
    host = re.findall(r"^(\w+):$", prompt, re.MULTILINE)[-1]
    return f"[0] Goodbye from {host}." if "says goodbye" in prompt else f"[0] Welcome, this is {host}."


WORDS = (
    "river",
    "boats",
    "cattle",
    "bridge",
    "winter",
    "planks",
    "flood",
    "letters",
    "village",
    "oak",
    "rope",
    "oar",
)


def article(sentences: int) -> str:
    """Return sentences of eight words that share little with each other."""
    triples = itertools.islice(itertools.permutations(WORDS, 3), 0, None, 3)
    made = [
        f"In {1000 + n} the {a} near {b} became {c}."
        for n, (a, b, c) in zip(range(sentences), triples, strict=False)
    ]
    return "\n\n".join(" ".join(made[n : n + 5]) for n in range(0, len(made), 5))
