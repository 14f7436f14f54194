"""The linter for LiteLLM's config.yaml: `run.lint`; needs no LiteLLM."""
