"""All of YAML to Recipe. `recipe.py` reads one; `known.py`: what capabilities, methods say of each other."""
