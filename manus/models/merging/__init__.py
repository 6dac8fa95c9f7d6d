"""Stages become one model, which is checked against what it should equal."""
