"""How many tokens a picture, a video and a sound become. Needs no torch; decodes nothing, knows no tokenizer.

The processor and the preparation of data ask the same object, so that their counts cannot differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manus.data.sample import PLACEHOLDER, PLACEHOLDERS, Facts, MediumKind
from manus.errors import ModelError, blamed_on
from manus.models.json_files import read_object

KIND_OF: dict[str, MediumKind] = {token: kind for kind, token in PLACEHOLDERS.items()}
PROCESSOR_FILE = "processor_config.json"

SAMPLES_PER_SECOND = 16_000
SAMPLES_PER_POSITION = 320  # Whisper: a mel frame every 160 samples, and a convolution of stride 2
TOLERATED_SECONDS = 0.1  # what encoders of sound add at the end of a clip
LARGEST_SCALE, SCALE_PRECISION = 100.0, 1e-5  # of the search for a flexible picture's size


@dataclass(frozen=True, slots=True)
class MediaLayout:
    """What decides how many tokens a medium becomes.

    Pictures have either one `grid` of patches (rows, columns), or `patch_size` and `most_patches`, where the
    encoder takes any aspect ratio. Without either there is no vision; without `audio_positions` there is no
    hearing.
    """

    grid: tuple[int, int] | None = None
    patch_size: int | None = None
    most_patches: int | None = None
    pixel_shuffle: int = 2
    video_pool: int = 2
    frames_per_second: float = 2.0
    most_frames: int = 16
    audio_positions: int | None = None
    audio_stack: int = 4

    @classmethod
    def of(cls, folder: Path) -> MediaLayout:
        """Read the layout of an omni checkpoint.

        Raises:
            ModelError: the folder is no omni checkpoint.
        """
        file = Path(folder) / PROCESSOR_FILE
        with blamed_on(f"{file} is not that of an omni checkpoint", ModelError):
            return cls.from_dict(read_object(file)["layout"])

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MediaLayout:
        """Return the layout that `to_dict` described."""
        grid = values.get("grid")
        return cls(**{**values, "grid": tuple(grid) if grid is not None else None})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `processor_config.json` holds them."""
        values = asdict(self)
        return {**values, "grid": list(self.grid) if self.grid is not None else None}

    @property
    def has_vision(self) -> bool:
        """Whether pictures and videos are taken in."""
        return self.grid is not None or self.most_patches is not None

    @property
    def senses(self) -> set[MediumKind]:
        """The kinds of media that are taken in."""
        seen: set[MediumKind] = {"image", "video"} if self.has_vision else set()
        return seen | ({"audio"} if self.audio_positions is not None else set())

    @property
    def longest_audio_seconds(self) -> float:
        """The longest sound that is taken in; 0 without hearing."""
        return (self.audio_positions or 0) * SAMPLES_PER_POSITION / SAMPLES_PER_SECOND

    def patches(self, width: int, height: int) -> tuple[int, int]:
        """Return the rows and columns of patches that the encoder sees of a picture of so many pixels."""
        if self.grid is not None:
            return self.grid
        if self.patch_size is None or self.most_patches is None:
            raise ValueError("this model has no vision: it takes no pictures or videos")
        if min(width, height) < 1:
            raise ValueError(f"a picture of {width} x {height} pixels has no patches")
        return _flexible(width, height, self.patch_size, self.most_patches)

    def image_tokens(self, width: int, height: int) -> int:
        """Return how many tokens a picture of so many pixels becomes."""
        rows, columns = self._shuffled(width, height)
        return rows * columns

    def frame_tokens(self, width: int, height: int) -> int:
        """Return how many tokens each frame of a video of so many pixels becomes, its time stamp apart."""
        rows, columns = (-(-side // self.video_pool) for side in self._shuffled(width, height))
        return rows * columns

    def frame_times(self, seconds: float) -> list[float]:
        """Return the times (seconds) of the frames looked at: the middles of parts of equal length."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"a video of {seconds} seconds has no frames")
        count = min(self.most_frames, max(1, math.floor(seconds * self.frames_per_second + 1e-6)))
        return [(index + 0.5) * seconds / count for index in range(count)]

    def audio_tokens(self, seconds: float) -> int:
        """Return how many tokens a sound becomes.

        Raises:
            ValueError: it is longer than what the encoder hears at once, or there is no hearing.
        """
        if self.audio_positions is None:
            raise ValueError("this model has no hearing: it takes no audio")
        if not 0 <= seconds <= self.longest_audio_seconds + TOLERATED_SECONDS:
            raise ValueError(
                f"an audio clip of {seconds:.1f} s; from 0 to {self.longest_audio_seconds:g} s can be heard: "
                "cut it"
            )
        positions = -(-round(seconds * SAMPLES_PER_SECOND) // SAMPLES_PER_POSITION)
        return -(-min(max(1, positions), self.audio_positions) // self.audio_stack)

    def check_heard(self, seconds: float) -> None:
        """See to it that a sound is not longer than what is heard at once.

        Raises:
            ValueError: it is, or there is no hearing.
        """
        self.audio_tokens(seconds)

    def expanded(self, text: str, facts: Sequence[Facts]) -> str:
        """Replace the placeholders of a text, in order, by as many as their media become tokens.

        Raises:
            ValueError: there are more or fewer placeholders than media, one is of another kind, or a sense is
                missing.
        """
        pending = list(facts)
        found = PLACEHOLDER.findall(text)
        if len(found) != len(pending):
            raise ValueError(f"{len(found)} placeholders in the text, {len(pending)} media")

        def replaced(match: re.Match[str]) -> str:
            medium, kind = pending.pop(0), KIND_OF[match[0]]
            if medium["kind"] != kind:
                raise ValueError(f"the text has {match[0]} where the medium is of kind {medium['kind']!r}")
            return self.expansion(medium)

        return PLACEHOLDER.sub(replaced, text)

    def expansion(self, medium: Facts) -> str:
        """Return what stands in the text for one medium."""
        kind = medium["kind"]
        token = PLACEHOLDERS[kind]
        if kind == "audio":
            return token * self.audio_tokens(medium["seconds"])
        if kind == "image":
            return token * self.image_tokens(medium["width"], medium["height"])
        frame = token * self.frame_tokens(medium["width"], medium["height"])
        return "".join(f"<{time:.1f} seconds>{frame}" for time in self.frame_times(medium["seconds"]))

    def _shuffled(self, width: int, height: int) -> tuple[int, int]:
        rows, columns = self.patches(width, height)
        return -(-rows // self.pixel_shuffle), -(-columns // self.pixel_shuffle)


def _flexible(width: int, height: int, patch_size: int, most_patches: int) -> tuple[int, int]:
    """Return rows and columns of patches of the largest scale with not too many, as SigLIP 2 chooses it."""

    def at(scale: float) -> tuple[int, int]:
        return max(1, math.ceil(height * scale / patch_size)), max(1, math.ceil(width * scale / patch_size))

    low, high = SCALE_PRECISION / 10, LARGEST_SCALE
    while high - low >= SCALE_PRECISION:
        middle = (low + high) / 2
        rows, columns = at(middle)
        low, high = (middle, high) if rows * columns <= most_patches else (low, middle)
    return at(low)
