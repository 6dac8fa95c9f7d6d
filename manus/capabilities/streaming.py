"""Streaming: an answer comes token by token, and is the answer that comes at once.

It trains nothing: it is what the merged model does at run time. So it takes no data and no method; `probe`
and `name` are all that a recipe can say of it. Wherever it stands among the capabilities, the merged model is
asked, with the held-out questions of the stages that learn (text only; without any, with a few fixed ones):

- by the engine in one process, token by token and at once, the likeliest tokens and drawn ones (from the
  recipe's seed): tokens, text and ends must be equal;
- by the server over a socket of this machine, as `manus serve` answers: server-sent events against whole
  answers, likeliest and drawn: text, thought, number of tokens and ends must be equal;
- how soon the first token comes, how many come in a second, and the gaps between them (p50 and p95), with one
  stream and with eight side by side.

Where one answer differs, the merged model is not shown, whatever the gates say. Gates can limit the times.
These are of the machine that measured, which the manifest names; what has been measured is measured again
only when the model, the questions or these settings change, or when it broke a limit.
"""

from __future__ import annotations

from pydantic import Field

from manus.settings.frozen import Frozen

VERSION = 1
TRAINS = "nothing"
GATES = ("max_first_token_seconds", "max_gap_p95_seconds", "min_tokens_per_second")


class Settings(Frozen):
    """Settings of the probe."""

    questions: int = Field(
        4, ge=1, le=64, description="How many questions are answered both ways, each likeliest and drawn."
    )
    max_new_tokens: int = Field(64, ge=2, description="The longest answer that is streamed.")
    temperature: float = Field(0.8, gt=0, le=2, description="Of the answers that are drawn.")
