"""The derivation of the schema of config.yaml from an installed LiteLLM."""
