"""Reads a turn while it is still spoken and shown, so that its answer waits for the rest alone.

What is read early is a guess: the answer's prompt is made anew when it is asked for, and only what it shares
with what was read is used. Knows nothing of events.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from manus.data.media.sound import Waves
from manus.errors import InputError
from manus.models.listening.context import Context, units_of
from manus.serving.server.answering import Service
from manus.serving.server.realtime.hearing import SoundBuffer
from manus.serving.server.realtime.items import Items, piece_of
from manus.serving.server.realtime.settings import ResponseSettings, Session
from manus.serving.server.realtime.speaking import asked_of
from manus.serving.server.refusals import Refused

LOG = logging.getLogger(__name__)
# Sessions whose sound and pictures are held as read; the one that was silent longest reads anew. Tokens of
# each: what is longer is read when it is asked about.
MOST_CONTEXTS, MOST_TOKENS = 8, 32_768


class Early:
    """What of one session's conversation has been read."""

    def __init__(self, service: Service, items: Items, sound: SoundBuffer) -> None:
        self.service, self.items, self.sound = service, items, sound
        self.is_able = service.why_late is None and bool(service.hosted.senses)
        self.context: Context | None = None
        self.task: asyncio.Task[None] | None = None
        self.known: Any = (
            None  # the conversation that was read: its items, the session's settings, where the sound begins
        )
        self.pieces = 0  # of the sound that is being heard, as far as they were read

    @property
    def described(self) -> str:
        """When what is heard is read, and why not earlier."""
        return "as it comes" if self.is_able else f"when it is asked about: {self.service.why_late}"

    @property
    def _reach(self) -> int:
        return min(self.service.hosted.context or MOST_TOKENS, MOST_TOKENS)

    def note(self, session: Session) -> None:
        """Read what is new, beside what else happens; not while something is being read."""
        if not self.is_able or (self.task is not None and not self.task.done()):
            return
        known = (self.items.ids, session, self.sound.begin)
        pieces = int(self.sound.end - self.sound.begin) // piece_of(self.service) if self.sound.is_turn else 0
        if known == self.known and pieces <= self.pieces:
            return
        self.task = asyncio.create_task(self._read(known, session, pieces))

    async def settled(self) -> Context | None:
        """Return what has been read, once nothing is being read; None where nothing is read early."""
        if self.task is not None:
            await asyncio.gather(self.task, return_exceptions=True)
        self.known = None  # what it holds then is the prompt of the answer
        return self.context

    async def end(self) -> None:
        """Give up what was read."""
        if self.task is not None:
            self.task.cancel()
        await self.settled()
        self._leave()

    def _leave(self) -> None:
        self.context, self.known, self.pieces = None, None, 0
        if self in self.service.listening:
            self.service.listening.remove(self)

    def _begun(self) -> Context:
        """Return what is read into; it is this session's turn to be remembered."""
        listening = self.service.listening
        if self in listening:
            listening.remove(self)
        listening.append(self)
        for other in listening[:-MOST_CONTEXTS]:
            other._leave()
        self.context = self.context or Context(self.service.hosted.model)
        return self.context

    async def _read(self, known: Any, session: Session, pieces: int) -> None:
        """Read on; what cannot be read early is told when it is asked about."""
        length = piece_of(self.service)
        waves_S = self.sound.heard()[: pieces * length]
        try:
            if known == self.known and self.pieces and self.context is not None and self.context.units:
                await self._go_on(waves_S[self.pieces * length :], length)
            elif not await self._begin(session, waves_S):
                return
            self.known, self.pieces = known, pieces
        except (Refused, InputError) as error:
            self.known, self.pieces = known, pieces  # not again before something changes
            LOG.info("not read early: %s", error)
        except Exception:
            LOG.exception("what is heard could not be read early")
            self.known = None

    async def _begin(self, session: Session, waves_S: Waves) -> bool:
        """Read the conversation up to its last medium; return whether it has any."""
        turns = [*self.items.turns(), *([self.items.sound_turn(waves_S)] if len(waves_S) else [])]
        hosted = self.service.hosted
        async with self.service.preparing:
            asked = await asyncio.to_thread(asked_of, self.service, session, ResponseSettings(), turns)
        places = set(hosted.model.config.placeholder_ids.values())
        end = max((number + 1 for number, token in enumerate(asked.ids) if token in places), default=0)
        if not end or end >= self._reach:
            return False
        context = self._begun()
        await self.service.thread.run(lambda: context.read(asked.ids[:end], asked.media))
        return True

    async def _go_on(self, waves_S: Waves, length: int) -> None:
        """Read further pieces of the sound whose beginning was read."""
        hosted, context = self.service.hosted, self._begun()
        sounds = [waves_S[n : n + length] for n in range(0, len(waves_S), length)]
        media = await asyncio.to_thread(hosted.preparer.audio_inputs, sounds)
        ids = [hosted.model.config.placeholder_ids["audio"]] * int(media["audio_tokens"].sum())
        if context.tokens + len(ids) >= self._reach:
            return

        def read() -> None:
            context.append(list(units_of(context.model, ids, media)), context.embedded(ids, media))

        await self.service.thread.run(read)
