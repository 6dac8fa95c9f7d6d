"""What a recipe may say of a stage's data. Knows nothing of how files are read."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from manus.settings.frozen import Frozen
from manus.settings.sampling import SamplingSettings
from manus.settings.words import LARGEST_COUNT, Count, SampleSize, Text

ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tar.zst", ".zip")
HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


class Source(Frozen):
    """One source of rows: a local file or directory, a hub data set, or a named generator."""

    path: Text | None = Field(
        None, description="A .jsonl, .json, .csv, .tsv, .parquet or .txt file, or a directory."
    )
    hub: Text | None = Field(None, description="A data set on the hub, as OWNER/NAME.")
    generator: Text | None = Field(None, description="A generator of synthetic rows, by name.")
    split: Text | None = Field(None, description="The hub data set's split (default: train).")
    subset: Text | None = Field(None, description="The hub data set's configuration.")
    revision: Text | None = Field(None, description="The hub data set's commit, branch or tag.")
    archives: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        (),
        description="The hub data set's archives (.tar, .tar.gz, .tar.zst, .zip) with the media "
        "that its rows name; * stands for any name. Rows whose media are in none of them are left out.",
    )
    columns: dict[str, str] = Field(
        {}, description="Rename columns first: {name Manus knows: name in the data}."
    )
    ignore: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        (),
        description="Columns, by their names in the data, that are left out: not read, "
        "and not named as unread.",
    )
    weight: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="How often each of its samples is seen per epoch."
    )
    size: Count | None = Field(None, description="Rows a generator makes (default: sample_size, or 1000).")
    options: dict[str, Any] = Field({}, description="Settings of the generator.")

    @field_validator("hub")
    @classmethod
    def _is_a_hub_id(cls, hub: str | None) -> str | None:
        if hub is not None and not HUB_ID.fullmatch(hub):
            raise ValueError("a data set on the hub is named OWNER/NAME; files and folders go under path")
        return hub

    @model_validator(mode="after")
    def _is_one_source(self) -> Source:
        given = [name for name in ("path", "hub", "generator") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of path, hub, generator; has {', '.join(given) or 'none'}")
        for name, owner in (("split", "hub"), ("subset", "hub"), ("revision", "hub"), ("size", "generator")):
            if getattr(self, name) is not None and owner != given[0]:
                raise ValueError(f"{name} belongs to a {owner} source, not to a {given[0]}")
        if self.archives and given[0] != "hub":
            raise ValueError(
                f"archives belong to a hub source, not to a {given[0]}; unpack them beside the rows"
            )
        for archive in self.archives:
            if not archive.endswith(ARCHIVE_ENDINGS):
                raise ValueError(f"{archive}: an archive's name ends in {', '.join(ARCHIVE_ENDINGS)}")
        if wanted := sorted(set(self.ignore) & set(self.columns.values())):
            raise ValueError(
                f"{wanted[0]} stands under columns and under ignore; remove it from one of the two"
            )
        if self.options and given[0] != "generator":
            raise ValueError(f"options belong to a generator source, not to a {given[0]}")
        return self

    @property
    def title(self) -> str:
        """What to call the source in messages."""
        return self.path or self.hub or f"generator {self.generator}"

    @property
    def name(self) -> str:
        """What to call it in what is kept: its title without folders."""
        return self.title if self.path is None else PurePath(self.path).name


class OnPolicySettings(SamplingSettings):
    """How pairs are made: the model answers each prompt several times, right answers beat wrong ones."""

    samples_per_prompt: Annotated[int, Field(ge=2, le=1024)] = Field(
        8, description="Answers drawn for each prompt."
    )
    pairs_per_prompt: Count = Field(1, description="Pairs made of one prompt's answers, at most.")


class DataSettings(Frozen):
    """How a stage's rows become training samples and the held-out split."""

    data: tuple[Source, ...] = Field(
        (),
        min_length=1,
        strict=False,
        description="Sources; without this key the capability's, or the method's, own.",
    )
    on_policy: OnPolicySettings | None = Field(
        None,
        description="For dpo and orpo: make the pairs of the model's own answers, "
        "judged by the capability's verifier.",
    )
    sample_size: SampleSize = Field(0, description="Training samples to use, drawn by the seed; 0 is all.")
    held_out: Count | None = Field(
        None, description="Samples kept for the probe; none: a tenth of the data, at most 200."
    )
    max_length: Annotated[int, Field(ge=16, le=LARGEST_COUNT)] = Field(
        1024, description="Longest sample in tokens."
    )
    learn: Literal["all_turns", "last_turn"] = Field(
        "all_turns",
        description="Which turns of the assistant are learned; flags in the data, such as `train`, beat it.",
    )
    too_long: Literal["drop", "truncate"] = Field("drop", description="What happens to longer samples.")
    window_overlap: Annotated[int, Field(ge=0, le=LARGEST_COUNT)] = Field(
        0, description="Tokens that each window of a long text repeats of the one before it."
    )
    mix: Literal["epochs", "samples", "tokens"] = Field(
        "epochs",
        description="What weights mean: how often samples are seen, "
        "or the share of a source in samples or in tokens.",
    )
    until: Literal["first_exhausted", "all_exhausted"] = Field(
        "first_exhausted",
        description="When an epoch of shares ends: no sample is seen twice, or all are seen.",
    )
    index_above_bytes: Annotated[int, Field(ge=0)] = Field(
        250_000_000,
        description="Files of more bytes in all are indexed and read row by row, in bounded memory; "
        "smaller ones are held in memory, which takes about five times their size.",
    )
    fetch_urls: bool = Field(
        False, description="Whether media that rows give as http addresses are fetched, once."
    )
    clip_seconds: Annotated[float, Field(gt=0, le=86_400)] | None = Field(
        None,
        description="Parts of a video or sound with a text each (segments) that follow each other are joined "
        "to clips of at most this length; none: each is a sample.",
    )
    prepare: Literal["ahead", "never"] = Field(
        "ahead",
        description="When rows become tokens: once before training, or, for lines of files, "
        "in the background of it.",
    )
    failure_budget: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01, description="Share of rows that may be unusable before the stage refuses its data."
    )

    @model_validator(mode="after")
    def _can_be_read_while_training(self) -> DataSettings:
        if self.prepare == "never":
            if self.mix == "tokens":
                raise ValueError("prepare: never knows no tokens ahead; set mix: samples or epochs")
            other = next((source.title for source in self.data if source.path is None), None)
            if other is not None:
                raise ValueError(f"prepare: never reads rows of local files, not {other}; set prepare: ahead")
        return self

    @model_validator(mode="after")
    def _overlaps_less_than_half(self) -> DataSettings:
        if self.window_overlap > self.max_length // 2:
            raise ValueError(f"window_overlap may be at most half of max_length, {self.max_length // 2}")
        return self
