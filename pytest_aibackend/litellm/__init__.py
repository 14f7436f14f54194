"""All we know of LiteLLM."""
