"""What real clients sent, recorded once, is answered: LangChain, `llm`, OpenAI's agents; none is needed.

`clients.jsonl` holds their requests as they came, but for shorter answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from manus.serving.server.answering import Service

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parent / "clients.jsonl").read_text(encoding="utf-8").splitlines()
]
CLIENTS = {"langchain-openai", "llm", "@openai/agents"}


def named(request: dict[str, Any]) -> str:
    streamed = "-streamed" if request["body"].get("stream") else ""
    return f"{request['client'].split()[0]}-{request['path'].replace('/', '-')}{streamed}"


def test_every_client_was_recorded() -> None:
    assert {request["client"].split()[0] for request in RECORDED} == CLIENTS


@pytest.mark.parametrize("request_of_client", RECORDED, ids=map(named, RECORDED))
def test_a_client_is_answered(long_served: tuple[str, Service], request_of_client: dict[str, Any]) -> None:
    path, body = request_of_client["path"], request_of_client["body"]
    answer = httpx2.post(f"{long_served[0]}/v1/{path}", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    if not body.get("stream"):
        assert answer.json()["object"] in ("chat.completion", "response")
        return
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert len(events) >= 2 and not any(event.get("error") for event in events), answer.text
