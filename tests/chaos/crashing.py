"""A process that dies at one SQL statement: nothing after it reaches the database, and nobody tidies up."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.backends.postgresql import base


class Crashed(BaseException):
    """The process is dead; no `except Exception` brings it back."""


class Statements:
    """
    Counts the statements of this thread's connection, COPY included, and dies at one of them.

    To die at a savepoint is to die at the statement after it: these are not counted.
    """

    def __init__(self, *, die_at: int | None) -> None:
        self.die_at = die_at
        self.count = 0
        self.seen: list[str] = []

    def one(self, sql: str) -> None:
        if sql.startswith(("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")):
            return
        self.count += 1
        self.seen.append(sql)
        if self.count == self.die_at:
            # As the kernel does to a killed process: the socket is gone, and the server rolls back.
            connection.connection.close()
            raise Crashed(f"at statement {self.count}: {sql[:80]}")


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch, *, die_at: int | None = None) -> Iterator[Statements]:
    """Counted while it lasts; after a crash the connection is opened anew, as by the next process."""
    counted = Statements(die_at=die_at)
    copy = base.Cursor.copy  # type: ignore[attr-defined]  # the stubs leave psycopg's methods out

    def counted_copy(cursor: Any, statement: str, *given: Any, **named: Any) -> Any:
        counted.one(statement)
        return copy(cursor, statement, *given, **named)

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        counted.one(sql)
        return execute(sql, params, many, context)

    with monkeypatch.context() as patched, connection.execute_wrapper(wrapper):
        patched.setattr(base.Cursor, "copy", counted_copy)
        patched.setattr(base.ServerBindingCursor, "copy", counted_copy)
        try:
            yield counted
        finally:
            if counted.die_at and counted.count >= counted.die_at:
                connection.close()
