"""A worker to be killed: runs the day's billing in small pages, as a process of its own."""

import sys
from datetime import UTC, date, datetime
from functools import partial

import django

django.setup()

from accounts.actors import schedule  # noqa: E402 Django first
from invoicing.runs import issuing, operations, proposing  # noqa: E402
from invoicing.sellers.models import Seller  # noqa: E402

PAGE = 50


def main(on: date) -> None:
    operations.propose_due = partial(proposing.propose_due, page_size=PAGE)
    issuing.ISSUE_PAGE_SIZE = PAGE
    print("ready", flush=True)  # noqa: T201 whoever kills it waits for this
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    operations.run_billing(seller=Seller.objects.get(is_default=True), on=on, actor=schedule(), now=now)


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]))
