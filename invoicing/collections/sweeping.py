"""Sweeps over many accounts: a page a transaction, and one account's trouble is not the others'."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

PAGE = 300

logger = logging.getLogger(__name__)


@dataclass
class Swept:
    """What a sweep did, counted by what became of it; a sentence for each account that it failed at."""

    done: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{count} {what}" for what, count in sorted(self.done.items()) if count) or "nothing to do"
        return f"{told}; {len(self.failed)} failed" if self.failed else told

    def add(self, other: "Swept") -> "Swept":
        self.done.update(other.done)
        self.failed.extend(other.failed)
        return self

    def as_json(self) -> dict[str, Any]:
        return {"done": dict(sorted(self.done.items())), "failed": self.failed}


def sweep(
    next_page: Callable[[int], Sequence[int]], work: Callable[[Sequence[int]], Counter[str]], *, dry_run: bool = False
) -> Swept:
    """
    Work through accounts in their order, `next_page(after)` by page, each page in one transaction.

    A page that fails is done again account by account, so that only those that cannot be done are left out; they are
    told by a sentence. A dry run does the same work and takes it back.

    :raises OperationalError: and InterfaceError, where the database is gone, which is no account's fault
    """
    swept, after = Swept(), 0
    while page := list(next_page(after)):
        after = page[-1]
        _work(page, work, swept, dry_run)
    return swept


def _work(page: list[int], work: Callable[[Sequence[int]], Counter[str]], swept: Swept, dry_run: bool) -> None:
    try:
        with transaction.atomic():
            done = work(page)
            if dry_run:
                transaction.set_rollback(True)
    except (OperationalError, InterfaceError):
        raise
    except Exception as trouble:  # whatever is wrong with one account is told, and the others are done
        if len(page) == 1:
            logger.exception("account %s was left out of a sweep", page[0])
            swept.failed.append(f"Account {page[0]}: {type(trouble).__name__}: {trouble}")
            return
        for account_id in page:
            _work([account_id], work, swept, dry_run)
        return
    swept.done.update(done)
