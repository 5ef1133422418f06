"""Reminders on a schedule in the terms: once a stage, one mail a day, over what is open."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from invoicing.collections import reminders
from invoicing.collections.holds import exempt_account, place_hold, promise_to_pay
from invoicing.collections.models import Placement, Reminder
from invoicing.collections.reminders import remind
from invoicing.documents.models import Delivery, Letter
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.sellers.models import Seller
from tests.chaos.at_once import at_once, failures
from tests.invoicing.collections.factories import (
    DUE,
    MIA,
    NOW,
    at,
    invoice,
    money,
    pay,
    pending,
    statements,
)
from tests.invoicing.factories import customer, terms

D = Decimal
WEEK_LATE = date(2026, 3, 8)


def reminded(on=WEEK_LATE, **options):
    return remind(on=on, now=at(on), **options)


def listed() -> list[list[str]]:
    """The rows of each letter: number and what is open."""
    return [
        [f"{row[0]} {row[4]}" for row in letter.details["table"]["rows"]] for letter in Letter.objects.order_by("pk")
    ]


@pytest.mark.django_db
class TestRemind:
    def test_writes_a_reminder_on_each_day_of_the_terms_and_on_no_other(self):
        made = invoice()
        for days in range(-10, 40):
            reminded(DUE + timedelta(days=days))
        assert list(Reminder.objects.order_by("days").values_list("invoice_id", "days", "on")) == [
            (made.pk, -3, date(2026, 2, 26)),
            (made.pk, 0, date(2026, 3, 1)),
            (made.pk, 7, date(2026, 3, 8)),
            (made.pk, 14, date(2026, 3, 15)),
        ]
        assert Letter.objects.count() == 4

    def test_says_where_to_pay_by_the_sites_own_address(self, settings):
        settings.SITE_URL = "https://billing.example"
        made = invoice()
        reminded()
        (line,) = (line for line in Letter.objects.get().details["closing"] if "/my/" in line)
        assert line == f"See what is open, and pay it online: https://billing.example/my/{made.account_id}/"

    def test_is_of_today_where_a_past_day_is_made_up_for(self):
        """Else a customer who is two weeks late is told that an invoice will be due."""
        invoice()
        remind(on=DUE - timedelta(days=3), now=at(date(2026, 3, 16)))
        assert list(Reminder.objects.values_list("days", "on")) == [(14, date(2026, 3, 16))]

    def test_sends_one_mail_however_often_it_runs(self):
        """Invoice Ninja sent 22 to 100 reminders in a day."""
        invoice()
        for _ in range(100):
            reminded()
        assert Letter.objects.count() == Delivery.objects.filter(document__kind="REMINDER").count() == 1

    def test_sends_one_for_all_that_a_clock_missed(self):
        invoice()
        reminded(date(2026, 6, 1))
        reminded(date(2026, 6, 2))
        assert list(Reminder.objects.values_list("days", flat=True)) == [14]

    def test_sends_nothing_again_where_the_clock_goes_back(self):
        invoice()
        reminded(date(2026, 3, 15))
        reminded(date(2026, 3, 8))
        assert list(Reminder.objects.values_list("days", flat=True)) == [14]

    def test_puts_several_invoices_on_one_letter(self):
        account = customer()
        first, second = invoice(account, "40"), invoice(account, "60")
        reminded()
        assert listed() == [[f"{first.number} USD 40.00", f"{second.number} USD 60.00"]]
        assert Letter.objects.get().details["table"]["totals"] == [["Total", "", "", "", "USD 100.00"]]

    def test_writes_one_letter_a_day_and_the_other_invoice_on_the_next(self):
        account = customer()
        invoice(account)
        reminded()
        later = invoice(account, "60")
        reminded()
        assert Letter.objects.count() == 1
        reminded(WEEK_LATE + timedelta(days=1))
        assert listed()[1:] == [[f"{later.number} USD 60.00"]]

    def test_asks_for_the_open_amount_and_not_for_the_total(self):
        """Lago duns for full totals: a part payment is taken off."""
        made = invoice(amount="100")
        pay(made, "99.99", on=date(2026, 3, 2))
        reminded()
        assert listed() == [[f"{made.number} USD 0.01"]]
        assert Reminder.objects.get().amount == D("0.01")

    def test_takes_a_credit_note_off(self):
        made = invoice(amount="100")
        actor = MIA.__class__(MIA.kind, MIA.name, MIA.channel, permissions=frozenset({"invoicing.issue_credit_note"}))
        credit_invoice(
            invoice=made, actor=actor, now=at(date(2026, 3, 2)), reason="Not ordered.",
            amounts={made.lines.get().pk: D(30)},
        )  # fmt: skip
        reminded()
        assert listed() == [[f"{made.number} USD 70.00"]]

    def test_takes_off_money_that_lies_with_us_unallocated(self):
        made = invoice(amount="100")
        money(made.account, "45", on=date(2026, 3, 2))
        reminded()
        assert listed() == [[f"{made.number} USD 55.00"]]

    def test_leaves_alone_what_credit_covers(self):
        made = invoice(amount="100")
        money(made.account, "100", on=date(2026, 3, 2))
        reminded()
        assert listed() == []

    def test_leaves_alone_what_is_paid_to_the_cent(self):
        pay(invoice(), on=date(2026, 3, 2))
        reminded()
        assert listed() == []

    def test_leaves_alone_what_has_a_payment_under_way(self):
        pending(invoice())
        reminded()
        assert listed() == []

    @pytest.mark.parametrize("kind", ["DISPUTE", "PROMISE", "OTHER"])
    def test_leaves_alone_what_is_held_and_only_that(self, kind):
        account = customer()
        held, other = invoice(account, "40"), invoice(account, "60")
        place_hold(
            account=account, invoice=held, kind=kind, why="Asked.", actor=MIA, now=NOW, today=WEEK_LATE,
            until_on=WEEK_LATE,
        )  # fmt: skip
        reminded()
        assert listed() == [[f"{other.number} USD 60.00"]]

    def test_leaves_a_promise_alone_until_its_day_and_reminds_after_it(self):
        made = invoice()
        promise_to_pay(account=made.account, until_on=WEEK_LATE, why="By Friday.", actor=MIA, now=NOW, today=WEEK_LATE)
        reminded()
        assert listed() == []
        reminded(WEEK_LATE + timedelta(days=1))
        assert listed() == [[f"{made.number} USD 100.00"]]

    def test_leaves_an_exempt_account_alone(self):
        made = invoice()
        exempt_account(account=made.account, until_on=WEEK_LATE, why="Flood.", actor=MIA, now=NOW, today=WEEK_LATE)
        reminded()
        assert listed() == []

    def test_leaves_alone_who_is_with_the_agency(self):
        """COLL-1: reminders stop."""
        account = customer()
        invoice(account)
        Placement.objects.create(
            account=account, state="PLACED", currency="USD", amount=5, proposed_on=DUE, proposed_at=NOW
        )
        reminded()
        assert listed() == []

    def test_copies_the_team_where_the_terms_say_so(self):
        terms("hosted-direct", reminder_copy_to="dunning@provider.example")
        made = invoice()
        reminded()
        addresses = Delivery.objects.filter(document__kind="REMINDER").values_list("address", flat=True)
        assert sorted(addresses) == sorted([*made.account.invoice_emails, "dunning@provider.example"])

    def test_keeps_to_one_seller(self):
        invoice()
        assert reminded(seller=Seller.objects.create(name="Another")).done["reminded"] == 0
        assert listed() == []

    def test_writes_nothing_in_a_dry_run(self):
        invoice()
        assert reminded(dry_run=True).done["reminded"] == 1
        assert listed() == []
        assert not Reminder.objects.exists()

    def test_takes_a_constant_number_of_statements_a_page(self):
        for _ in range(2):
            invoice()
        with statements() as few:
            reminded()
        for _ in range(6):
            account = customer()
            invoice(account)
            invoice(account)
        with statements() as many:
            reminded()
        assert len(many) == len(few)

    def test_leaves_out_one_that_fails_and_does_the_others(self, monkeypatch):
        """BillaBear and others: one poisoned account must not end the sweep."""
        broken, sound = invoice(), invoice()
        plain = reminders.reminder_text

        def poisoned(who, invoices, *, on):
            if who.account.pk == broken.account_id:
                raise ValueError("no such address")
            return plain(who, invoices, on=on)

        monkeypatch.setattr(reminders, "reminder_text", poisoned)
        monkeypatch.setattr("invoicing.collections.sweeping.logger.exception", lambda *_: None)
        swept = reminded()
        assert swept.failed == [f"Account {broken.account_id}: ValueError: no such address"]
        assert listed() == [[f"{sound.number} USD 100.00"]]

    def test_is_late_for_nobody_where_it_stopped_half_way(self, monkeypatch):
        made = invoice()
        with monkeypatch.context() as patched:
            patched.setattr(reminders.Reminder.objects, "bulk_create", crash)
            patched.setattr("invoicing.collections.sweeping.logger.exception", lambda *_: None)
            reminded()
        assert listed() == []
        reminded()
        assert listed() == [[f"{made.number} USD 100.00"]]


def crash(*_, **__):
    raise RuntimeError("killed here")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_eight_sweeps_write_one_letter_an_account(self):
        for _ in range(4):
            invoice()
        results = at_once([reminded] * 8)
        assert failures(results) == []
        assert Letter.objects.count() == Reminder.objects.count() == 4
