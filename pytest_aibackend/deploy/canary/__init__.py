"""The canary: a candidate tried out on a LiteLLM of its own before anybody is served by it."""
