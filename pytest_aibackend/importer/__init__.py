"""`aibackend import`: a hand-written LiteLLM configuration becomes the four sources, and means the same."""
