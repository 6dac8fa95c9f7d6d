"""How weights change: one file a method, found by its name. A new file here is a new `method:`.

A method module has
    VERSION             raised when the same settings give other weights
    SAMPLE_KINDS        the kinds of sample it trains on, the usual one first
    Settings            what a recipe may set, with defaults
    result(settings)    "adapter", "model" or "projectors": what it leaves in the stage's folder
    train(job)          trains and returns the stage's metrics; heavy imports belong inside
and may have
    TAKES_MEDIA         whether its batches may hold images, video and sound
    NEEDS_SENSES        whether it trains what only a model with encoders has
"""

REQUIRED = ("VERSION", "SAMPLE_KINDS", "Settings", "result", "train")
