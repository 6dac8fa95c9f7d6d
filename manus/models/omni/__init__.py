"""The omni checkpoint: a text model that takes in pictures, video and sound. Imports nothing by itself.

`layout` and `settings` need no torch; `configuration`, `processing`, `modeling` and `conversion` work with
transformers.
"""
