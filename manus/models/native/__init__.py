"""Bases that see or hear by themselves, with a processor of their own: LLaVA, Qwen2-VL, Gemma 3, Qwen2-Audio, ..."""
