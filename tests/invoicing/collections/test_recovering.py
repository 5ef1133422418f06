"""What the agency remits, once a reference; and write-offs, of what is open and no more."""

from datetime import date
from decimal import Decimal

import pytest
from django.db.models import Sum

from accounts.actors import NotPermitted
from accounts.refusals import BadValue
from invoicing.collections.models import Placement
from invoicing.collections.recovering import RemittanceRefused, WriteOffRefused, book_remittance, write_off
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.invoices.models import Invoice
from invoicing.ledger.models import Posting
from invoicing.payments.models import Payment
from invoicing.periods import DAY
from tests.chaos.at_once import at_once, failures
from tests.invoicing.collections.factories import MIA, NOBODY, at, invoice, open_of, pay, pending
from tests.invoicing.collections.test_placements import CLERK, RIPE, follow, handed, records
from tests.invoicing.factories import customer

D = Decimal
NOW = at(RIPE)


def remitted(placement, collected="60", commission="15", **values):
    given = {"reference": "R-1", "on": RIPE, "actor": MIA, "now": NOW}
    return book_remittance(placement=placement, collected=D(collected), commission=D(commission), **(given | values))


def written_off(of, amount=None, **values):
    given = {"why": "Bankrupt.", "actor": MIA, "now": NOW, "amount": D(amount) if amount else None}
    return write_off(invoice=of, **(given | values))


def credited(of, amount) -> Invoice:
    return credit_invoice(
        invoice=of, actor=CLERK, now=NOW, reason="Not ordered.", amounts={of.lines.get().pk: D(amount)}
    )


def balances(account) -> dict[str, Decimal]:
    rows = Posting.objects.filter(account=account).values_list("ledger_account").annotate(total=Sum("amount"))
    return {name: total for name, total in rows if total}


@pytest.mark.django_db
class TestBookRemittance:
    def test_books_the_net_the_commission_and_the_invoices_oldest_first(self):
        account = customer()
        young = invoice(account, "80", due_on=date(2026, 2, 27))
        old, one = handed(account, "50", due_on=date(2026, 2, 1))
        remitted(one)
        assert (open_of(old), open_of(young)) == ((D(0), D(0)), (D(0), D(70)))
        booked = balances(account)
        assert (booked["GATEWAY_CLEARING"], booked["COMMISSION"], booked["COLLECTIONS"]) == (D(45), D(15), D(70))
        assert records(one) == [("REMITTANCE", D(60))]

    def test_refuses_a_reference_that_was_booked(self):
        _, one = handed()
        remitted(one)
        with pytest.raises(RemittanceRefused, match="R-1 was booked on 2026-03-31 by Mia Manager"):
            remitted(one)
        remitted(one, "10", "0", reference="R-2")
        assert balances(one.account)["COLLECTIONS"] == D(30)

    def test_closes_what_is_settled(self):
        _, one = handed()
        remitted(one, "100", "25")
        one.refresh_from_db()
        assert one.state == "CLOSED"

    def test_may_be_all_commission(self):
        _, one = handed()
        remitted(one, "100", "100")
        assert balances(one.account).get("GATEWAY_CLEARING") is None

    @pytest.mark.parametrize(("collected", "commission"), [
        ("0", "0"), ("-5", "0"), ("60", "61"), ("60", "-1"), ("60.001", "0"),
    ])  # fmt: skip
    def test_refuses_amounts_that_cannot_be(self, collected, commission):
        _, one = handed()
        with pytest.raises(RemittanceRefused):
            remitted(one, collected, commission)

    def test_refuses_more_than_is_with_the_agency_unless_it_is_meant(self):
        made, one = handed()
        pay(made, "70", on=RIPE)
        with pytest.raises(RemittanceRefused, match="USD 30.00 is with the agency, and it collected USD 60.00"):
            remitted(one)
        remitted(one, rest_is_credit=True)
        assert balances(made.account)["CUSTOMER_CREDIT"] == D(-30)

    def test_of_a_closed_placement_is_the_customers_credit(self):
        made, one = handed()
        pay(made, on=RIPE)
        follow()
        remitted(one, rest_is_credit=True)
        assert balances(made.account)["CUSTOMER_CREDIT"] == D(-60)

    def test_of_what_was_never_handed_over_is_refused(self):
        made = invoice()
        one = Placement.objects.create(
            account=made.account, currency="USD", amount=5, proposed_on=RIPE, proposed_at=NOW
        )
        with pytest.raises(RemittanceRefused, match="was not handed over"):
            remitted(one)

    @pytest.mark.parametrize("on", [RIPE - DAY, RIPE + DAY])
    def test_of_a_day_before_the_hand_over_or_to_come_is_refused(self, on):
        _, one = handed()
        with pytest.raises(RemittanceRefused, match="comes between the hand-over, 2026-03-31, and today, 2026-03-31"):
            remitted(one, on=on)

    def test_needs_the_right(self):
        _, one = handed()
        with pytest.raises(NotPermitted):
            remitted(one, actor=NOBODY)


@pytest.mark.django_db
class TestWriteOff:
    def test_of_what_is_with_us(self):
        made = invoice()
        written_off(made)
        assert (open_of(made), balances(made.account)["BAD_DEBT"]) == ((D(0), D(0)), D(100))

    def test_of_what_is_with_the_agency_tells_it_and_closes(self):
        made, one = handed()
        written_off(made, "40")
        assert records(one) == [("WRITE_OFF", D(40))]
        written_off(made)
        one.refresh_from_db()
        assert (one.state, open_of(made), balances(made.account)["BAD_DEBT"]) == ("CLOSED", (D(0), D(0)), D(100))

    def test_over_a_remittance_is_of_what_is_left(self):
        made, one = handed()
        remitted(one)
        with pytest.raises(WriteOffRefused, match=r"USD 40\.00 is open"):
            written_off(made, "40.01")
        written_off(made)
        assert balances(made.account)["BAD_DEBT"] == D(40)

    def test_leaves_a_later_remittance_to_the_customers_credit(self):
        made, one = handed()
        written_off(made)
        with pytest.raises(RemittanceRefused, match=r"USD 0\.00 is with the agency"):
            remitted(one)

    def test_twice_is_refused(self):
        made = invoice()
        written_off(made)
        with pytest.raises(WriteOffRefused):
            written_off(made)

    @pytest.mark.parametrize("amount", ["0", "-1", "100.01", "0.001"])
    def test_of_another_amount_than_is_open_is_refused(self, amount):
        with pytest.raises(WriteOffRefused):
            write_off(invoice=invoice(), why="Bankrupt.", actor=MIA, now=NOW, amount=D(amount))

    def test_of_what_is_credited_later_is_no_credit_of_the_customers(self):
        """The customer has paid 60 of 100: that the rest was never owed gives it nothing."""
        made = invoice()
        pay(made, "60", on=date(2026, 3, 10))
        written_off(made)
        credited(made, "70")
        found = balances(made.account)
        assert (found.get("BAD_DEBT", D(0)), found["CUSTOMER_CREDIT"]) == (D(0), D(-30))
        assert open_of(made) == (D(0), D(0))

    def test_waits_for_a_payment_under_way(self):
        made = invoice()
        pending(made)
        with pytest.raises(WriteOffRefused, match="is under way"):
            written_off(made)

    def test_needs_right_and_reason(self):
        made = invoice()
        with pytest.raises(NotPermitted):
            written_off(made, actor=NOBODY)
        with pytest.raises(BadValue):
            written_off(made, why=" ")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_eight_remittances_of_one_reference_are_booked_once(self):
        _, one = handed()
        results = at_once([lambda: remitted(one)] * 8)
        assert len(failures(results)) == 7
        assert all(isinstance(failure, RemittanceRefused) for failure in failures(results))
        assert balances(one.account)["COLLECTIONS"] == D(40)

    def test_a_payment_and_a_write_off_never_take_more_than_is_open(self):
        made, _ = handed()
        results = at_once([lambda: written_off(made, "70"), lambda: written_off(made, "70")])
        assert len(failures(results)) == 1
        assert open_of(made) == (D(0), D(30))
        assert not Payment.objects.exists()
