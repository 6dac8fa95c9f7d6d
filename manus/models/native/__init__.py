"""Bases that see or hear by themselves, with their processor: LLaVA, Qwen2-VL, Gemma 3, Qwen2-Audio, ..."""
