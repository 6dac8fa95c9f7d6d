"""The real client of OpenAI has a model say a text: whole, streamed, by events; mistakes are plain sentences."""

import base64
import io
import json
import urllib.request

import av
import openai
import pytest
from openai import OpenAI
from transformers import AutoConfig

from tests.unit.models.speech.speaking import speaking
from tests.unit.serving.server.serving import running


@pytest.fixture(scope="module")
def client(pico_base, tmp_path_factory):
    width = AutoConfig.from_pretrained(pico_base).hidden_size
    folder = speaking(pico_base, tmp_path_factory.mktemp("served") / "model", 2 * width)
    with running(folder) as (address, _):
        yield OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


def seconds_of(data):
    with av.open(io.BytesIO(data)) as container:
        return sum(f.samples for f in container.decode(audio=0)) / container.streams.audio[0].rate


def test_a_text_is_said_in_every_format(client):
    asked = {"model": "pico", "voice": "ann", "input": "One two three. Four five six."}
    lengths = {}
    for name in ("wav", "mp3", "opus", "flac", "aac"):
        with client.audio.speech.with_streaming_response.create(**asked, response_format=name) as answer:
            lengths[name] = seconds_of(answer.read())
    pcm = client.audio.speech.create(**asked, response_format="pcm").content
    assert all(found == pytest.approx(len(pcm) / 48_000, abs=0.2) for found in lengths.values()), lengths
    assert client.models.list().data[0].voices == ["ann", "bob"]


def test_events_bring_the_same_sound(client):
    asked = {"model": "pico", "voice": "bob", "input": "One two three.", "response_format": "pcm"}
    whole = client.audio.speech.create(**asked).content
    url = str(client.base_url.join("audio/speech"))
    body = json.dumps({**asked, "stream_format": "sse"}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        lines = [line.decode().strip() for line in answer if line.startswith(b"data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["type"] for event in events][-1] == "speech.audio.done"
    parts = [event["audio"] for event in events if event["type"] == "speech.audio.delta"]
    assert len(parts) > 1 and b"".join(map(base64.b64decode, parts)) == whole


def test_mistakes_are_told(client, served):
    with pytest.raises(openai.BadRequestError, match="'alloy' is none of ann, bob"):
        client.audio.speech.create(model="pico", voice="alloy", input="One.")
    with pytest.raises(openai.BadRequestError, match="has no word that could be said"):
        client.audio.speech.create(model="pico", voice="ann", input="...")
    with pytest.raises(openai.BadRequestError, match="instructions"):
        client.audio.speech.create(model="pico", voice="ann", input="One.", instructions="whisper")
    silent = OpenAI(base_url=f"{served[0]}/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.APIStatusError, match="this model does not speak") as found:
        silent.audio.speech.create(model="pico", voice="ann", input="One.")
    assert found.value.status_code == 501
