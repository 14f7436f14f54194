"""Validate an LLM gateway's configuration with pytest, and deploy it without fear."""

__version__ = "0.1.0"
