"""What the demo gateway remembers: an SQLite file that web and worker processes share, or memory for a test."""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, customer TEXT NOT NULL,
    charge TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS object_of_customer ON objects (kind, customer, number);
CREATE INDEX IF NOT EXISTS object_of_charge ON objects (charge, kind);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, body TEXT NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS event_to_deliver ON events (number) WHERE delivered = 0;
CREATE TABLE IF NOT EXISTS plans (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, what TEXT NOT NULL, id TEXT NOT NULL,
    code TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS plan_by_time ON plans (at);
"""
_LETTERS = "bcdfghjkmnpqrstvwxz"


class DemoState:
    """One connection a process, used by one thread at a time; between processes SQLite's own lock counts."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._opened_by = 0

    @contextmanager
    def transaction(self) -> Iterator["DemoState"]:
        """All or nothing, and nobody else in between."""
        with self._lock:
            connection = self._open()
            if connection.in_transaction:
                yield self
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield self
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        # A connection does not survive a fork, which is how Celery makes its workers.
        if self._connection is None or (self._path is not None and self._opened_by != os.getpid()):
            if self._path is not None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self._path or ":memory:", timeout=30, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = OFF")
            self._connection.executescript(_TABLES)
            self._connection.execute("INSERT OR IGNORE INTO facts VALUES ('salt', ?)", [_salt()])
            self._opened_by = os.getpid()
        return self._connection

    def _rows(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._open().execute(sql, values).fetchall()

    def new_id(self, prefix: str) -> str:
        """A name that no other demo gateway gives, with no run of digits that might be a card's."""
        (salt,) = self._rows("SELECT value FROM facts WHERE name = 'salt'", [])[0]
        ((number,),) = self._rows(
            "INSERT INTO facts VALUES ('numbers', 1)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            [],
        )
        return f"{prefix}_demo{salt}{int(number):06d}"

    def put(self, body: Mapping[str, Any], *, customer: str = "", charge: str = "") -> None:
        """Keep an object of Stripe's; `charge` is the payment intent that it belongs to."""
        self._rows(
            "INSERT INTO objects (id, kind, customer, charge, created, body) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            [body["id"], body["object"], customer, charge, body["created"], json.dumps(body)],
        )

    def get(self, name: str) -> dict[str, Any] | None:
        found = self._rows("SELECT body FROM objects WHERE id = ?", [name])
        return json.loads(found[0][0]) if found else None

    def of_charge(self, charge: str, kind: str) -> list[dict[str, Any]]:
        found = self._rows(
            "SELECT body FROM objects WHERE charge = ? AND kind = ? ORDER BY number DESC", [charge, kind]
        )
        return [json.loads(body) for (body,) in found]

    def listed(
        self, kind: str, *, customer: str, charge: str, since: int, after: str, limit: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """A page, newest first as Stripe lists, beginning after a name; and whether there is more."""
        sql = "SELECT body FROM objects WHERE kind = ? AND created >= ?"
        values: list[Any] = [kind, since]
        for column, value in (("customer", customer), ("charge", charge)):
            if value:
                sql += f" AND {column} = ?"
                values.append(value)
        if after:
            sql += " AND number < (SELECT number FROM objects WHERE id = ?)"
            values.append(after)
        found = self._rows(f"{sql} ORDER BY number DESC LIMIT ?", [*values, limit + 1])
        return [json.loads(body) for (body,) in found[:limit]], len(found) > limit

    def recall(self, key: str, *, since: int) -> tuple[str, int, str] | None:
        """The request that came under a key, and how it was answered; those older are forgotten."""
        self._rows("DELETE FROM keys WHERE key = ? AND at < ?", [key, since])
        found = self._rows("SELECT request, status, body FROM keys WHERE key = ?", [key])
        return found[0] if found else None  # type: ignore[return-value]

    def remember(self, key: str, request: str, status: int, body: str, *, at: int) -> None:
        self._rows("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", [key, request, status, body, at])

    def tell(self, body: Mapping[str, Any]) -> None:
        """An event to be delivered."""
        self._rows("INSERT INTO events (id, body) VALUES (?, ?)", [body["id"], json.dumps(body, indent=2)])

    def events(self, *, after: int, undelivered: bool = False) -> list[tuple[int, str, str]]:
        only = " AND delivered = 0" if undelivered else ""
        return self._rows(  # type: ignore[return-value]
            f"SELECT number, id, body FROM events WHERE number > ?{only} ORDER BY number", [after]
        )

    def delivered(self, number: int) -> None:
        self._rows("UPDATE events SET delivered = 1 WHERE number = ?", [number])

    def plan(self, at: datetime, what: str, name: str, code: str = "") -> None:
        """Something that happens to an object when its time has come."""
        values = [int(at.timestamp()), what, name, code]
        self._rows("INSERT INTO plans (at, what, id, code) VALUES (?, ?, ?, ?)", values)

    def take_due(self, now: datetime) -> list[tuple[int, str, str, str]]:
        """What is due, in the order of its time, and no longer planned."""
        due = self._rows("DELETE FROM plans WHERE at <= ? RETURNING at, number, what, id, code", [int(now.timestamp())])
        return [(at, what, name, code) for at, _, what, name, code in sorted(due)]


def _salt() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(6))
