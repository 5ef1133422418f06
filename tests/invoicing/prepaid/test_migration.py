"""MIG-1: what was paid beyond the cut-over comes to the prepaid balance, in proportion to the days."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.actors import Actor, ActorKind, Channel, NotPermitted
from accounts.models import AuditEntry
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.invoices.models import Invoice
from invoicing.ledger.models import Posting
from invoicing.prepaid.migration import MigrationRefused, grant_migration_credit, preview_migration_credit
from invoicing.subscriptions.models import BillingProfile
from tests.invoicing.factories import bill, per_seat_company, plan, subscription, terms
from tests.invoicing.prepaid.factories import NOW, balance_of, give, posted_balance

pytestmark = pytest.mark.django_db
D = Decimal
MIA = Actor(ActorKind.STAFF, "Mia", Channel.CONSOLE,
            permissions=frozenset({"invoicing.migrate_credit", "invoicing.issue_credit_note"}))  # fmt: skip
CUT_OVER = date(2026, 3, 1)


@pytest.fixture
def moved():
    """Billed from mid-month to mid-month, 15 February to 15 March, 28 days; then moved to prepaid terms."""
    account = per_seat_company(15, profile={"bill_from_on": date(2026, 2, 15)})
    subscription(account, plan("seat", "29.90"), date(2026, 1, 15))
    subscription(account, plan("extra", "10"), date(2026, 1, 15), "3")
    bill(date(2026, 2, 15))
    profile = account.billing_profile
    profile.terms = terms("prepaid")
    profile.save()
    return account


class TestPreview:
    """MIG-1."""

    def test_is_in_proportion_to_the_days_and_rounded_once(self, moved):
        credit = preview_migration_credit(moved, CUT_OVER)
        # Both lines run from 15 February to 15 March: 14 of 28 days lie on or after 1 March.
        assert [(part.amount, part.share) for part in credit.parts] == [(D("29.90"), D("14.95")), (D(30), D(15))]
        assert credit.amount == D("29.95")

    @pytest.mark.parametrize(("cut_over_on", "amount"), [
        pytest.param(date(2026, 2, 15), "59.90", id="the first day: all of it"),
        pytest.param(date(2026, 2, 16), "57.76", id="a day used: 27/28"),
        pytest.param(date(2026, 3, 14), "2.14", id="the last day: 1/28"),
        pytest.param(date(2026, 3, 15), "0", id="the day after"),
        pytest.param(date(2026, 1, 1), "59.90", id="before the period: no more than was billed"),
    ])  # fmt: skip
    def test_counts_the_days_from_the_cut_over_on(self, moved, cut_over_on, amount):
        assert preview_migration_credit(moved, cut_over_on).amount == D(amount)

    def test_counts_less_what_a_credit_note_took_back(self, moved):
        invoice = Invoice.objects.get()
        line = invoice.lines.get(amount=30)
        credit_invoice(invoice=invoice, actor=MIA, now=NOW, reason="Not ordered.", amounts={line.pk: D(30)})
        assert preview_migration_credit(moved, CUT_OVER).amount == D("14.95")

    def test_leaves_out_what_the_prepaid_balance_itself_has_paid(self, moved):
        """Else the months since the cut-over would be credited too."""
        give(moved, "300")
        BillingProfile.objects.update(next_billing_on=date(2026, 4, 1))
        bill(date(2026, 4, 1))
        assert balance_of(moved) < 300
        assert preview_migration_credit(moved, CUT_OVER).amount == D("29.95")

    def test_changes_nothing(self, moved):
        before = Posting.objects.count()
        preview_migration_credit(moved, CUT_OVER)
        assert Posting.objects.count() == before


class TestGrant:
    """MIG-1."""

    def test_posts_to_the_balance_once(self, moved):
        entry = grant_migration_credit(moved, CUT_OVER, actor=MIA, now=NOW, why="Moved to telephony.")
        assert grant_migration_credit(moved, CUT_OVER, actor=MIA, now=NOW) == entry
        assert sorted(entry.postings.values_list("ledger_account", "category", "amount")) == [
            ("PREPAID_BALANCE", "", D("-29.95")), ("REVENUE", "migration", D("29.95")),
        ]  # fmt: skip
        assert entry.source == f"migration:{moved.pk}:2026-03-01"
        assert balance_of(moved) == posted_balance(moved) == D("29.95")
        audit = AuditEntry.objects.get(action="migration.credit")
        assert (audit.who, audit.why, audit.detail["amount"]) == ("Mia", "Moved to telephony.", "29.95")

    def test_is_not_granted_for_a_second_day(self, moved):
        grant_migration_credit(moved, CUT_OVER, actor=MIA, now=NOW)
        with pytest.raises(MigrationRefused, match="given its credit for a cut-over on 2026-03-01"):
            grant_migration_credit(moved, date(2026, 3, 2), actor=MIA, now=NOW)
        assert balance_of(moved) == D("29.95")

    def test_is_for_prepaid_accounts_with_something_billed(self, moved):
        with pytest.raises(MigrationRefused, match="Nothing was billed for days after 15 March 2026"):
            grant_migration_credit(moved, date(2026, 3, 15), actor=MIA, now=NOW)
        other = per_seat_company(15)
        with pytest.raises(MigrationRefused, match="not on prepaid terms.*Nothing was billed"):
            grant_migration_credit(other, CUT_OVER, actor=MIA, now=NOW)

    def test_is_for_those_who_may(self, moved):
        nora = Actor(ActorKind.STAFF, "Nora", Channel.CONSOLE)
        with pytest.raises(NotPermitted):
            grant_migration_credit(moved, CUT_OVER, actor=nora, now=NOW)
