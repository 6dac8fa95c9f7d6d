"""What a completion is worth to a learner: named verifiers, weighted and summed, each logged on its own.

`verifiers/` holds one file a verifier and says what such a file must have; `settings` is what a recipe may
write; `judge` scores completions and answers for what goes wrong. Nothing here knows how a policy learns from
a score.
"""
