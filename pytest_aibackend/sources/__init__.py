"""YAML text to typed, located data."""
