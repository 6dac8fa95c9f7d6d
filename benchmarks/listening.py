"""How long an answer to speech waits, where it is heard as it comes and where only once it is committed.

    python -m benchmarks.listening OMNI_FOLDER [--seconds 6] [--repeats 3]
        [--session-seconds 600] [--most-tokens 512]

The folder is an omni checkpoint that hears (`omni/` of a recipe's results). A real server of this process is
asked by a real client, which plays noise in real time, ends the turn and wants one token; the two sides take
turns, and seconds are medians. Then a session of the same model listens as fast as it can: what its cache
takes, what the process takes, and how much faster than the sound it is.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

CLIENT_HERTZ, RATE_HERTZ, PLAYED_SECONDS, SEED = 24_000, 16_000, 0.1, 1


def noise(seconds: float, rate: int, seed: int = SEED) -> Any:
    """Return sound as float32 [S]."""
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def until(connection: Any, kind: str) -> Any:
    """Return the next event of a kind; an error ends the benchmark."""
    while (event := connection.recv()).type != kind:
        if event.type == "error":
            raise SystemExit(f"the server refused: {event.error.message}")
    return event


def waited(client: Any, seconds: float, seed: int) -> float:
    """Play sound in real time and return the seconds between the turn's end and the answer's first token."""
    pcm = (noise(seconds, CLIENT_HERTZ, seed) * 32767).astype("<i2")
    step = round(PLAYED_SECONDS * CLIENT_HERTZ)
    with client.realtime.connect(model="bench") as connection:
        quiet: Any = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        connection.session.update(session=quiet)
        until(connection, "session.updated")
        began = time.perf_counter()
        for start in range(0, len(pcm), step):
            part = base64.b64encode(pcm[start : start + step].tobytes()).decode()
            connection.input_audio_buffer.append(audio=part)
            time.sleep(max(0.0, began + (start + step) / CLIENT_HERTZ - time.perf_counter()))
        ended = time.perf_counter()
        connection.input_audio_buffer.commit()
        connection.response.create(response={"max_output_tokens": 1})
        until(connection, "response.done")
        return time.perf_counter() - ended


def compare(folder: Path, seconds: float, repeats: int) -> None:
    """Print how long answers wait on both sides."""
    from manus.serving.server.hosted import Hosted
    from openai import OpenAI

    from manus.serving.server.access import Access
    from manus.serving.server.limits import Limits
    from manus.serving.server.running import Server, listening_at, service_of

    service = service_of(Hosted.load(folder, "bench"), Limits(), Access())
    if service.why_late is not None:
        raise SystemExit(f"this model does not listen as it comes: {service.why_late}")
    opened = listening_at("127.0.0.1", 0)
    server = Server(service)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[opened])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    client = OpenAI(base_url=f"http://127.0.0.1:{opened.getsockname()[1]}/v1", api_key="none", max_retries=0)
    found: dict[str, list[float]] = {"as it comes": [], "when committed": []}
    for number in range(repeats + 1):  # the first round is to get warm
        for side, times in found.items():
            service.why_late = None if side == "as it comes" else "this side of the benchmark"
            took = waited(client, seconds, SEED + number)
            times += [took] if number else []
    early, late = (median(times) for times in found.values())
    print(
        f"{seconds:g} s of sound in pieces of {service.hosted.layout.longest_audio_seconds:g} s, "
        f"{service.hosted.model.dtype}: first token {early:.3f} s after the end as it comes, "
        f"{late:.3f} s when committed: {late / early:.2f} times sooner"
    )
    print({side: [round(one, 3) for one in times] for side, times in found.items()})
    server.should_exit = True
    thread.join(30)


def listen(folder: Path, seconds: float, most_tokens: int) -> None:
    """Print what a long session takes."""
    from transformers import AutoProcessor

    from manus.models.listening.listener import Listener
    from manus.models.listening.memory import Memory
    from manus.models.loading.composition import load_model
    from manus.models.loading.precision import device, held_dtype, precision_of

    model = load_model(folder, held_dtype(precision_of("auto")), device()).eval()
    listener = Listener(model, AutoProcessor.from_pretrained(folder), memory=Memory(most_tokens))
    took, slowest, process, resident = 0.0, 0.0, psutil.Process(), []
    piece = noise(1.0, RATE_HERTZ)
    for second in range(round(seconds)):
        began = time.perf_counter()
        listener.hear(piece, RATE_HERTZ)
        took += (last := time.perf_counter() - began)
        slowest = max(slowest, last)
        if (second + 1) % max(1, round(seconds / 4)) == 0:
            resident.append(f"{process.memory_info().rss / 1e6:.0f}")
    tokens = listener.context.tokens
    rate = 50 / listener.layout.audio_stack
    each = listener.context.bytes / tokens
    print(
        f"{seconds:g} s heard in {took:.1f} s ({seconds / took:.1f} times as fast; "
        f"the slowest second {slowest:.2f} s); "
        f"remembered: {tokens} of at most {most_tokens} tokens, {listener.context.bytes / 1e6:.1f} MB; "
        f"{each:.0f} bytes a token, {rate * each / 1e3:.0f} kB a second of sound; "
        f"process: {', '.join(resident)} MB"
    )


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--session-seconds", type=float, default=600.0)
    parser.add_argument("--most-tokens", type=int, default=512)
    told = parser.parse_args()
    if told.repeats:
        compare(told.folder, told.seconds, told.repeats)
    if told.session_seconds:
        listen(told.folder, told.session_seconds, told.most_tokens)


if __name__ == "__main__":
    main()
