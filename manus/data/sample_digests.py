"""Digests of samples: what tells that two of them are the same, or ask the same. Knows nothing of splits."""

from __future__ import annotations

import hashlib
from typing import Any

from manus.data.media.expansion import in_text
from manus.data.sample import Sample
from manus.store.keys import canonical


def prompt_digest(sample: Sample) -> str:
    """Return a digest of what is asked: two samples with the same one never stand on both sides."""
    asked = sample["messages"][:-1] if "messages" in sample else [{"role": "text", "content": sample["text"]}]
    words: list[Any] = [(message["role"], " ".join(message["content"].lower().split())) for message in asked]
    if sample.get("media"):
        shown = sum(len(in_text(message["content"])) for message in asked)
        words.append(("media", _digests_of_media(sample)[:shown]))
    return hashlib.sha256(canonical(words).encode()).hexdigest()


def content_digest(sample: Sample) -> str:
    """Return a digest of the whole sample; of its media, that of their content."""
    seen = {**sample, "media": _digests_of_media(sample)} if sample.get("media") else sample
    return hashlib.sha256(canonical(seen).encode()).hexdigest()


def _digests_of_media(sample: Sample) -> list[list[str]]:
    return [[medium["kind"], medium["digest"]] for medium in sample["media"]]


def order_digest(seed: int, prompt: str) -> str:
    """Return what decides where a prompt, given by its digest, stands in the draw of held-out samples."""
    return hashlib.sha256(f"{seed}:{prompt}".encode()).hexdigest()


def halves(digest: str) -> tuple[int, int]:
    """Return the first 128 bits of a hexadecimal digest as two numbers."""
    return int(digest[:16], 16), int(digest[16:32], 16)
