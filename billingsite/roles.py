"""
The two database roles. The owner, which logs in, makes the tables; the site works as another, ``DATABASE_APP_ROLE``,
from which the right to change append-only tables is taken. Triggers are the guard rail, this is the lock.
"""

from django.apps import apps
from django.apps.config import AppConfig
from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from psycopg import sql


def become_app_role(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Give a new connection the site's role, if there is one that its login may take on."""
    if settings.DATABASE_OWNER_MODE or connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('role', rolname, false) FROM pg_roles"
            " WHERE rolname = %s AND pg_has_role(session_user, oid, 'MEMBER')",
            [settings.DATABASE_APP_ROLE],
        )


def become_owner(using: str, **kwargs: object) -> None:
    """Take the owner's rights back before a migration, however it was started."""
    with connections[using].cursor() as cursor:
        cursor.execute("RESET ROLE")


def grant_rights(sender: AppConfig, using: str, stdout: object = None, **kwargs: object) -> None:
    """
    Make the site's role and give it its rights, after each migration.

    A flush sends the same signal without a plan; tables and rights are as they were then.
    """
    if "plan" not in kwargs or not settings.DATABASE_APP_ROLE:
        return
    connection = connections[using]
    try:
        _make_role(connection)
        with transaction.atomic(using=using):
            _grant(connection)
    except DatabaseError as error:
        print(  # noqa: T201  migrate's own output
            f"The role {settings.DATABASE_APP_ROLE} could not be set up, so the site works as the owner and append-only"
            f" tables are guarded by triggers alone: {str(error).splitlines()[0]}. The manual tells how to make it.",
            file=stdout,  # type: ignore[arg-type]
        )
    become_app_role(connection)


def _make_role(connection: BaseDatabaseWrapper) -> None:
    """Roles belong to the whole server: another database's migration may be making the same one this moment."""
    role = sql.Identifier(settings.DATABASE_APP_ROLE)
    for question, statement in [
        ("SELECT true FROM pg_roles WHERE rolname = %s", sql.SQL("CREATE ROLE {} NOLOGIN")),
        (
            "SELECT true FROM pg_roles WHERE rolname = %s AND pg_has_role(session_user, oid, 'MEMBER')",
            sql.SQL("GRANT {} TO SESSION_USER"),
        ),
    ]:
        with connection.cursor() as cursor:
            cursor.execute(question, [settings.DATABASE_APP_ROLE])
            if cursor.fetchone():
                continue
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(statement.format(role))
        except DatabaseError:
            with connection.cursor() as cursor:
                cursor.execute(question, [settings.DATABASE_APP_ROLE])
                if not cursor.fetchone():
                    raise


def _grant(connection: BaseDatabaseWrapper) -> None:
    role = sql.Identifier(settings.DATABASE_APP_ROLE)
    append_only = [sql.Identifier(model._meta.db_table) for model in apps.get_models() if is_append_only(model)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = sql.Identifier(cursor.fetchone()[0])
        for statement in (
            sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"),
            sql.SQL("GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"),
        ):
            cursor.execute(statement.format(schema=schema, role=role))
        if append_only:
            tables = sql.SQL(", ").join(append_only)
            cursor.execute(sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}").format(tables, role))


def is_append_only(model: type[Model]) -> bool:
    """Models say it of themselves with ``append_only = True``; the events that pghistory writes always are."""
    if not model._meta.managed or model._meta.proxy:
        return False
    is_event = {"pgh_id", "pgh_label"} <= {field.name for field in model._meta.get_fields()}
    return is_event or getattr(model, "append_only", False)
