"""Sound is written in every format, into files and into what cannot be sought in, and decodes to the same."""

import io

import av
import numpy as np
import pytest

from manus.data.media.encoding import FORMATS, Sink, SoundWriter

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)).astype(np.float32)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("sink", [Sink, io.BytesIO])
def test_a_tone_comes_back(name, sink):
    file = sink()
    writer = SoundWriter(file, name, 16_000)
    for part in np.array_split(TONE, 7):
        writer.add(part)
    writer.end()
    data = file.taken() if isinstance(file, Sink) else file.getvalue()
    if name == "pcm":
        samples, rate = np.frombuffer(data, "<i2").astype(np.float32) / 32768, 24_000
    else:
        with av.open(io.BytesIO(data)) as container:
            rate = container.streams.audio[0].rate
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
            frames = [out for one in container.decode(audio=0) for out in resampler.resample(one)]
            samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert len(samples) / rate == pytest.approx(2.0, abs=0.15)
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * rate / len(middle) == pytest.approx(440, abs=4)


def test_what_was_taken_comes_once():
    sink = Sink()
    sink.write(b"ab")
    sink.write(b"c")
    assert (sink.taken(), sink.taken()) == (b"abc", b"")
