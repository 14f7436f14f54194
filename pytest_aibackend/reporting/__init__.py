"""Findings and verdicts for people and machines."""
