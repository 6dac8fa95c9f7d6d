"""What a server counts of itself, for Prometheus. Knows nothing of requests' content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from manus.serving.server.engine_thread import EngineThread

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The numbers of one server, in a registry of their own."""

    def __init__(self, thread: EngineThread) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"manus_{name}", text, labels, registry=self.registry)

        def histogram(name: str, text: str) -> Histogram:
            return Histogram(f"manus_{name}", text, buckets=SECONDS, registry=self.registry)

        self.requests = counter("requests", "Requests answered.", "path", "status")
        self.prompt_tokens = counter("prompt_tokens", "Tokens of prompts.")
        self.answer_tokens = counter("answer_tokens", "Tokens of answers.")
        self.first_token = histogram(
            "first_token_seconds", "From a question to the first token of its answer."
        )
        self.gaps = histogram("token_gap_seconds", "Between two tokens of an answer.")
        gauges = {
            "running": ("Answers that are being made.", lambda: len(thread.running)),
            "waiting": ("Answers that wait for a place.", lambda: max(0, thread.taken - len(thread.running))),
            "engine_failures": ("Steps of the engine that failed.", lambda: thread.failures),
        }
        for name, (text, value) in gauges.items():
            Gauge(f"manus_{name}", text, registry=self.registry).set_function(value)

    def page(self) -> bytes:
        """Return all numbers in Prometheus' text form."""
        return generate_latest(self.registry)
