"""Takes guards away for a test, for its negative control, and puts them back."""

from collections.abc import Callable, Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from invoicing.runs import drafting, proposals

DEFINITION = """
    SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', c.conrelid::regclass, c.conname),
        format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
    FROM pg_constraint c WHERE c.conname = %(name)s
    UNION ALL
    SELECT format('DROP INDEX %%I', i.relname), pg_get_indexdef(i.oid) FROM pg_class i
    WHERE i.relname = %(name)s AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = %(name)s)
"""


@pytest.fixture
def take_away(transactional_db: None) -> Iterator[Callable[..., None]]:
    """Drops unique indexes and constraints by their names; they come back when the test's rows are gone."""
    taken: list[str] = []

    def take(*names: str) -> None:
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(DEFINITION, {"name": name})
                drop, put_back = cursor.fetchone()
                cursor.execute(drop)
                taken.append(put_back)

    yield take
    if taken:
        call_command("flush", interactive=False, verbosity=0)
        with connection.cursor() as cursor:
            for put_back in taken:
                cursor.execute(put_back)


@pytest.fixture(autouse=True)
def _without_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred tracebacks on the screen would take longer than the runs that park a hundred accounts."""
    for module in (proposals, drafting):
        monkeypatch.setattr(module.logger, "exception", lambda *_: None)
