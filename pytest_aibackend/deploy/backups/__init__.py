"""Backups of the deployed file: made, rotated, listed, verified."""
