"""P6: what is append-only cannot be changed by the role that the site works as."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from billingsite import roles

APPEND_ONLY = [model for model in apps.get_models() if roles.is_append_only(model)]


@pytest.fixture
def _as_site(db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE billing_app")
        yield
        cursor.execute("RESET ROLE")


@pytest.mark.usefixtures("_as_site")
class TestGrantRights:
    def test_lets_the_site_work(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE auth_user SET username = username")
            cursor.execute("INSERT INTO auth_group (name) VALUES ('clerks')")
            cursor.execute("DELETE FROM auth_group WHERE name = 'clerks'")

    @pytest.mark.parametrize("table", [model._meta.db_table for model in APPEND_ONLY])
    @pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
    def test_refuses_changes_of_append_only_tables(self, statement: str, table: str) -> None:
        key = next(model._meta.pk.column for model in APPEND_ONLY if model._meta.db_table == table)
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement.format(table).replace("id = id", f"{key} = {key}"))

    def test_refuses_to_change_the_schema(self) -> None:
        with (
            pytest.raises(ProgrammingError, match="must be owner"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("ALTER TABLE auth_user ADD COLUMN x int")


@pytest.mark.django_db
class TestBecomeAppRole:
    def test_takes_the_role_on(self, settings: Settings) -> None:
        settings.DATABASE_OWNER_MODE = False
        with connection.cursor() as cursor:
            roles.become_app_role(connection)
            cursor.execute("SELECT current_user")
            assert cursor.fetchone() == ("billing_app",)
            roles.become_owner("default")

    def test_goes_on_as_the_owner_where_there_is_no_such_role(self, settings: Settings) -> None:
        settings.DATABASE_OWNER_MODE = False
        settings.DATABASE_APP_ROLE = "nobody_made_this"
        with CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
            roles.become_app_role(connection)
            cursor.execute("SELECT current_user = session_user")
            assert cursor.fetchone() == (True,)
        assert len(queries) == 2
