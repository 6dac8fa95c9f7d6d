"""All of YAML to Recipe.

`recipe.py` reads one; `known.py` is what capabilities and methods say of each other.
"""
