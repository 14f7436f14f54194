"""A callback and an authentication of one's own, as people write them."""

import os

from fastapi import HTTPException, Request
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth


class Hooks(CustomLogger):
    """Does nothing."""


handler = Hooks()


async def check_key(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Let the master key in, and nobody else."""
    if api_key != os.environ["LITELLM_MASTER_KEY"]:
        raise HTTPException(401, "this is not the key")
    return UserAPIKeyAuth(api_key=api_key)
