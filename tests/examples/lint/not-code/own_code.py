"""Code of one's own beside a config."""


def check_key(request: object, api_key: str) -> str:
    """Let everybody in."""
    return api_key


class Guard:
    """Guards nothing."""


handler = Guard()
