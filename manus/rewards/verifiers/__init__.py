"""One verifier per file, found by its name. A new file here is a new `verifier:` for recipes.

A verifier module has
    VERSION                      raised when the same settings give other scores
    NEEDS_TRUST                  whether it runs code of the user's, which the recipe must allow: `trust: local-code`
    Settings                     what a recipe may set under `options:`
    can_score(sample, context)   whether the sample holds what it compares with
and one of
    scorer(settings, context)        a function of (sample, completion) that returns the score; it runs in a process
                                     of its own, where it may print, raise, hang or die, and never imports torch
    batch_scorer(settings, context)  a function of (samples, completions), at most `Settings.batch_size` of them, that
                                     returns their scores; it runs in the trainer's process, where the accelerator is
It may have
    identity(settings, context, lookup)  what of its settings shapes a score, where that is not the settings as they
                                         stand: the content of a file instead of its path

Making a scorer raises InputError where what the settings name is missing. Scores are finite numbers, more is better;
1 is right and 0 wrong wherever a verifier knows right and wrong.
"""

REQUIRED = ("VERSION", "NEEDS_TRUST", "Settings", "can_score")
SCORERS = ("scorer", "batch_scorer")
