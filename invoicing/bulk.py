"""Many rows at once: COPY in, and numbers for them beforehand."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model


def take_ids(model: type[Model], count: int) -> list[int]:
    """As many primary keys of a model's table as asked for, from its own sequence."""
    with connection.cursor() as cursor:
        cursor.execute(
            # Looked up once: OFFSET 0 keeps the planner from putting the look-up into each row.
            "SELECT nextval(s.ids) FROM (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS ids OFFSET 0) s,"
            " generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        return [row[0] for row in cursor.fetchall()]


def array_of(values: Iterable[Any]) -> str:
    """
    Many ids, days or numbers as one array literal, for `%s::bigint[]` and the like.

    The driver would quote each element by itself, which costs more than looking it up.
    """
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def array_of_texts(values: Iterable[str]) -> str:
    """Many texts as one array literal, for `%s::text[]`."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"


def copy_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """
    COPY rows into a model's table, in the caller's transaction; constraints and triggers hold as for INSERT.

    :raises django.db.DatabaseError: of the same kinds as INSERT does; Django does not translate what COPY raises
    """
    named = ", ".join(f'"{column}"' for column in columns)
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{model._meta.db_table}" ({named}) FROM STDIN') as copy,
    ):
        write_row = copy.write_row
        for row in rows:
            write_row(row)


WAYS_THROUGH_WHOLE_TABLES = ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort")


def keep_to_indexes() -> None:
    """
    Have this transaction look rows up by key.

    A run works in pages of ids on tables that grow under it: with statistics that lag behind, a plan that
    reads a whole table a page would make the run quadratic.
    """
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL enable_{way} = off" for way in WAYS_THROUGH_WHOLE_TABLES))
