"""How weights change: one file a method, found by its name. A new file here is a new `method:`.

A method module has
    VERSION             raised when the same settings give other weights
    SAMPLE_KINDS        the kinds of sample it trains on, the usual one first
    Settings            what a recipe may set, with defaults
    result(settings)    "adapter" or "model": what it leaves in the stage's folder
    train(job)          trains and returns the stage's metrics; heavy imports belong inside
"""

REQUIRED = ("VERSION", "SAMPLE_KINDS", "Settings", "result", "train")
