"""The database: which LiteLLM cannot use, and settings that need one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.providers import resolved

__all__ = ["database_missing", "database_unsupported"]

_SETTINGS: Final = "general_settings"
_SCHEMES: Final = ("postgresql", "postgres")
_VARIABLES: Final = ("DATABASE_URL", "DATABASE_HOST", "DIRECT_URL")


@lint_rule("database-unsupported", where="proxy/db/db_url_settings.py, SUPPORTED_DB_SCHEMES (1.106.2)")
def database_unsupported(context: LintContext) -> Iterator[LintProblem]:
    """`database_url` names a database that is no PostgreSQL.

    LiteLLM refuses to start. A variable is looked at where the environment is known.
    """
    url = resolved(context, context.document.get(_SETTINGS, "database_url"))
    scheme, found, _ = (url or "").partition("://")
    if found and scheme.lower() not in _SCHEMES:
        yield LintProblem(
            path=(_SETTINGS, "database_url"),
            message=f"database_url begins with {scheme}://: LiteLLM knows PostgreSQL alone, and stops",
            hint="write the address of a PostgreSQL: postgresql://...",
        )


@lint_rule(
    "database-missing", severity=Severity.WARNING, where="proxy/proxy_server.py, store_model_in_db (1.106.2)"
)
def database_missing(context: LintContext) -> Iterator[LintProblem]:
    """`store_model_in_db` is on, and there is no database.

    It has no effect. Looked for only where the environment is known: set DATABASE_URL there, or write
    `database_url: os.environ/DATABASE_URL`.
    """
    settings = context.document.section(_SETTINGS)
    is_wanted = settings.get("store_model_in_db") is True and not settings.get("database_url")
    if is_wanted and context.environment is not None and not context.has_variable(*_VARIABLES):
        yield LintProblem(
            path=(_SETTINGS, "store_model_in_db"),
            message="store_model_in_db has no effect: there is no database_url, and DATABASE_URL is not set",
            hint="set DATABASE_URL where the gateway runs",
        )
