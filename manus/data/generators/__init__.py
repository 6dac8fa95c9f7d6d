"""Offline data made by rule, one file a generator, found by its name. All of it is synthetic.

A generator module has VERSION, Settings, SAMPLE_KINDS (what its rows can become) and rows(count, seed, held_out,
settings); held-out rows come from templates, or seeds, that training rows never use.
"""

REQUIRED = ("VERSION", "Settings", "SAMPLE_KINDS", "rows")
