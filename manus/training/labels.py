"""How a token that is not learned is labelled."""

from __future__ import annotations

IGNORED = -100  # PyTorch's and transformers' label for "not learned"
