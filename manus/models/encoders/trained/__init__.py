"""Encoders that a recipe trains by itself, one file each, found by its name: `trained:NAME`.

A module has VERSION, SENSE, MODEL_TYPE, identity() (what else its weights depend on, beside the seed) and
train(seed, work) -> (model, preparer, metrics). The planning half imports it: torch is imported by the job alone.
"""
