"""Mails that waited while the customer paid: nobody is asked for what is settled."""

from datetime import date

import pytest

from accounts.actors import schedule
from invoicing.collections.reminders import remind
from invoicing.collections.suspension import suspend
from invoicing.documents.models import Delivery
from invoicing.documents.rendering import render_pending
from invoicing.documents.sending import send_pending
from tests.invoicing.collections.factories import at, invoice, pay
from tests.invoicing.collections.test_suspension import WARN

pytestmark = pytest.mark.django_db

WEEK_LATE = date(2026, 3, 8)


class TestMail:
    def test_does_not_go_out_for_what_was_paid_or_withdrawn_meanwhile(self, mailoutbox):
        paid, part_paid, warned, stays = invoice(), invoice(), invoice(), invoice()
        remind(on=WEEK_LATE, now=at(WEEK_LATE))
        pay(paid), pay(part_paid, "40")
        suspend(on=WARN, now=at(WARN), actor=schedule())
        pay(warned)
        suspend(on=WARN, now=at(WARN), actor=schedule())
        render_pending(limit=20, now=at(WARN))
        send_pending(limit=20, now=at(WARN))
        told = {
            (one.account_id, one.document.kind): f"{one.state} {one.error}".strip()
            for one in Delivery.objects.filter(document__kind__in=["REMINDER", "NOTICE"]).select_related("document")
        }
        not_reminded = "PARKED Nothing that it reminds of is open any more, so it was not sent."
        assert told == {
            (paid.account_id, "REMINDER"): not_reminded,
            (part_paid.account_id, "REMINDER"): "SENT",
            (part_paid.account_id, "NOTICE"): "SENT",
            (warned.account_id, "REMINDER"): not_reminded,
            (warned.account_id, "NOTICE"): (
                "PARKED The warning was withdrawn before it went out, so it was not sent."
            ),
            (stays.account_id, "REMINDER"): "SENT",
            (stays.account_id, "NOTICE"): "SENT",
        }  # fmt: skip
