"""Rows become prepared samples, a held-out split and a quarantine."""
