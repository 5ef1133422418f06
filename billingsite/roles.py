"""
The two database roles. The owner, which logs in, makes the tables; the site works as another, ``DATABASE_APP_ROLE``,
from which the right to change append-only tables is taken. Triggers are the guard rail, this is the lock.
"""

import sys
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from psycopg import sql

# Since PostgreSQL 16 whoever makes a role is a member of it that may not yet take it on.
MAY_BE_TAKEN_ON = (
    "pg_has_role(session_user, oid,"
    " CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)"
)


def become_app_role(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Give a new connection the site's role, if there is one, its login may take it on and it has its rights here."""
    if settings.DATABASE_OWNER_MODE:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT set_config('role', rolname, false) FROM pg_roles WHERE rolname = %s AND {MAY_BE_TAKEN_ON}"
            " AND has_table_privilege(oid, to_regclass('django_migrations'), 'SELECT')",
            [settings.DATABASE_APP_ROLE],
        )


def become_owner(using: str, **kwargs: object) -> None:
    """Take the owner's rights back before a migration, however it was started."""
    with connections[using].cursor() as cursor:
        cursor.execute("RESET ROLE")


def grant_rights(using: str, **kwargs: object) -> None:
    """
    Make the site's role and give it its rights, after each migration.

    A flush sends the same signal without a plan; tables and rights are as they were then.
    """
    if "plan" not in kwargs or not settings.DATABASE_APP_ROLE:
        return
    connection = connections[using]
    for tries_left in (2, 1, 0):
        try:
            with transaction.atomic(using=using):
                _make_role(connection)
                _grant(connection)
            break
        except DatabaseError as error:
            # Roles belong to the whole server: another database's migration may be making the same one this moment.
            if not tries_left:
                _explain(error, kwargs.get("stdout"))
    become_app_role(connection)


def _explain(error: DatabaseError, stdout: Any) -> None:
    (stdout or sys.stdout).write(
        f"The database role {settings.DATABASE_APP_ROLE} was not set up, so append-only tables are guarded by triggers"
        f" alone ({str(error).splitlines()[0]}). Let an administrator create it and grant it to this login, then"
        " migrate again.\n"
    )


def _make_role(connection: BaseDatabaseWrapper) -> None:
    role = sql.Identifier(settings.DATABASE_APP_ROLE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT true FROM pg_roles WHERE rolname = %s", [settings.DATABASE_APP_ROLE])
        if not cursor.fetchone():
            cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        cursor.execute(
            f"SELECT true FROM pg_roles WHERE rolname = %s AND {MAY_BE_TAKEN_ON}", [settings.DATABASE_APP_ROLE]
        )
        if not cursor.fetchone():
            cursor.execute(sql.SQL("GRANT {} TO SESSION_USER").format(role))


def _grant(connection: BaseDatabaseWrapper) -> None:
    role = sql.Identifier(settings.DATABASE_APP_ROLE)
    tables = set(connection.introspection.table_names())
    append_only = {model._meta.db_table for model in apps.get_models() if is_append_only(model)} & tables
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = sql.Identifier(cursor.fetchone()[0])
        for statement in (
            sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"),
            sql.SQL("GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"),
        ):
            cursor.execute(statement.format(schema=schema, role=role))
        for table in append_only:
            revoke = sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}")
            cursor.execute(revoke.format(sql.Identifier(table), role))


def is_append_only(model: type[Model]) -> bool:
    """Models say it of themselves with ``append_only = True``; the events that pghistory writes always are."""
    if not model._meta.managed or model._meta.proxy:
        return False
    is_event = {"pgh_id", "pgh_label"} <= {field.name for field in model._meta.get_fields()}
    return is_event or getattr(model, "append_only", False)
