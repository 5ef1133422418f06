"""What was booked and does not hold: a remittance by mistake, and a debt that was given up and is paid after all."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.actors import NotPermitted, schedule
from accounts.refusals import BadValue
from invoicing.collections.agency_rows import update_rows
from invoicing.collections.following import recall_placement
from invoicing.collections.models import Suspension
from invoicing.collections.recovering import RemittanceRefused, WriteOffRefused
from invoicing.collections.reversing import recover_debt, reverse_remittance, written_off_of
from invoicing.collections.suspension import suspend
from invoicing.payments.queries import InvoiceStatus, invoice_status
from invoicing.runs.books import differences_in_books
from tests.chaos.at_once import at_once, failures
from tests.invoicing.collections.factories import MIA, NOBODY, invoice, money, open_of, pay, take_back
from tests.invoicing.collections.test_placements import RIPE, daily, handed, records
from tests.invoicing.collections.test_recovering import NOW, balances, credited, remitted, written_off
from tests.invoicing.collections.test_suspension import state_of, suspended_for_not_paying
from tests.invoicing.factories import customer, seller

D = Decimal


def reversed_(record, **values):
    return reverse_remittance(**({"remittance": record, "why": "Another's.", "actor": MIA, "now": NOW} | values))


def recovered(of, payment=None, amount=None, **values):
    given = {"why": "A check came.", "actor": MIA, "now": NOW, "amount": D(amount) if amount else None}
    return recover_debt(**({"invoice": of, "payment": payment} | given | values))


def in_order() -> bool:
    return not list(differences_in_books())


@pytest.mark.django_db
class TestReverseRemittance:
    def test_puts_what_it_settled_back_with_the_agency(self):
        made, one = handed()
        before = balances(one.account)
        reversed_(remitted(one))
        assert (open_of(made), balances(one.account)) == ((D(0), D(100)), before)
        assert records(one) == [("REMITTANCE", D(60)), ("REVERSAL", D(60))]
        assert in_order()

    def test_tells_the_agency(self):
        _, one = handed()
        reversed_(remitted(one))
        (row,) = update_rows(RIPE, seller=seller())
        assert row[4:] == ["Remittance reversed", D(60), "Another's."]

    def test_frees_its_reference_once(self):
        _, one = handed()
        first = remitted(one)
        with pytest.raises(RemittanceRefused, match="R-1 was booked on"):
            remitted(one)
        reversed_(first)
        second = remitted(one, "40", "0")
        with pytest.raises(RemittanceRefused, match="R-1 was booked on"):
            remitted(one)
        with pytest.raises(RemittanceRefused, match="R-1 was reversed on 2026-03-31 by Mia Manager"):
            reversed_(first)
        reversed_(second)
        assert in_order()

    def test_of_a_closed_placement_leaves_it_with_us_to_be_proposed_anew(self):
        made, one = handed()
        reversed_(remitted(one, "100", "25"))
        assert open_of(made) == (D(100), D(0))
        daily()
        assert one.account.placements.get(state="PROPOSED").amount == 100
        assert in_order()

    def test_of_a_recalled_one_makes_it_receivable(self):
        made, one = handed()
        record = remitted(one)
        recall_placement(placement=one, why="Asked.", actor=MIA, now=NOW)
        reversed_(record)
        assert open_of(made) == (D(100), D(0))
        assert in_order()

    def test_takes_what_was_too_much_from_the_customers_credit(self):
        made, one = handed()
        record = remitted(one, "130", "0", rest_is_credit=True)
        assert balances(one.account)["CUSTOMER_CREDIT"] == D(-30)
        reversed_(record)
        assert "CUSTOMER_CREDIT" not in balances(one.account)
        assert open_of(made) == (D(100), D(0))

    def test_is_refused_once_that_credit_is_used(self):
        _, one = handed()
        record = remitted(one, "130", "0", rest_is_credit=True)
        invoice(one.account, "20", issued_on=RIPE, due_on=RIPE)
        with pytest.raises(RemittanceRefused, match=r"USD 30\.00 of it became .* of which USD 10\.00 is left"):
            reversed_(record)

    def test_does_not_open_what_was_credited_since(self):
        """BILL-6: of the invoice 30 is owed, whoever paid it."""
        made, one = handed()
        record = remitted(one, "100", "0")
        credited(made, "70")
        assert balances(one.account)["CUSTOMER_CREDIT"] == D(-70)
        reversed_(record)
        assert (open_of(made), balances(one.account).get("CUSTOMER_CREDIT")) == ((D(30), D(0)), None)
        assert in_order()

    def test_is_of_a_remittance_with_right_and_reason(self):
        made, one = handed()
        record = remitted(one)
        with pytest.raises(NotPermitted):
            reversed_(record, actor=NOBODY)
        with pytest.raises(BadValue):
            reversed_(record, why=" ")
        written_off(made, "10")
        with pytest.raises(RemittanceRefused, match="Only a remittance"):
            reversed_(one.records.get(kind="WRITE_OFF"))


@pytest.mark.django_db
class TestRecoverDebt:
    def test_is_no_bad_debt_any_more_and_pays_the_invoice(self):
        made = invoice()
        written_off(made)
        assert invoice_status([made.pk])[made.pk].status == InvoiceStatus.WRITTEN_OFF
        payment = money(made.account, "150", on=RIPE)
        recovered(made, payment)
        found = balances(made.account)
        assert ("BAD_DEBT" in found, found["CUSTOMER_CREDIT"], open_of(made)) == (False, D(-50), (D(0), D(0)))
        assert invoice_status([made.pk])[made.pk].status == InvoiceStatus.PAID
        assert in_order()

    def test_is_of_a_part_and_then_of_the_rest(self):
        made = invoice()
        written_off(made)
        recovered(made, money(made.account, "30", on=RIPE))
        assert written_off_of(made.account_id) == {made.pk: D(70)}
        recovered(made, money(made.account, "100", on=RIPE), "70")
        assert written_off_of(made.account_id) == {}
        with pytest.raises(WriteOffRefused, match=r"USD 0\.00 of invoice"):
            recovered(made, money(made.account, "5", on=RIPE))

    def test_is_paid_by_what_the_agency_remits_late(self):
        made, one = handed()
        written_off(made)
        remitted(one, "40", "10", rest_is_credit=True)
        recovered(made)
        found = balances(made.account)
        assert (found["BAD_DEBT"], found["COMMISSION"], "CUSTOMER_CREDIT" in found) == (D(60), D(10), False)
        assert in_order()

    def test_money_that_goes_back_opens_the_invoice_again(self):
        made = invoice()
        written_off(made)
        payment = money(made.account, "100", on=RIPE)
        recovered(made, payment)
        paid = made.account.ledger_entries.get(source__startswith="allocation:")
        take_back(paid, on=RIPE)
        assert open_of(made) == (D(100), D(0))
        written_off(made)
        assert balances(made.account)["BAD_DEBT"] == D(100)

    def test_lifts_the_suspension_that_giving_up_left(self):
        """SUSP-1: who has paid after all is restored."""
        made = suspended_for_not_paying()
        written_off(made)
        suspend(on=RIPE, now=NOW, actor=schedule())
        assert state_of(made.account) == "ACTIVE"
        recovered(made, money(made.account, "100", on=RIPE))
        suspend(on=RIPE, now=NOW, actor=schedule())
        assert Suspension.objects.get(account=made.account).state == "LIFTED"

    @pytest.mark.parametrize(("amount", "says"), [
        ("100.01", r"USD 100\.00 of invoice"), ("0.001", "something, can be recovered"), ("-1", "can be recovered"),
    ])  # fmt: skip
    def test_of_another_amount_is_refused(self, amount, says):
        made = invoice()
        written_off(made)
        with pytest.raises(WriteOffRefused, match=says):
            recovered(made, money(made.account, "200", on=RIPE), amount)

    def test_of_more_than_is_there_is_refused(self):
        made = invoice()
        written_off(made)
        with pytest.raises(WriteOffRefused, match=r"USD 0\.00 of this money is on no invoice"):
            recovered(made)

    def test_waits_until_what_is_open_is_paid(self):
        made = invoice()
        written_off(made, "40")
        payment = money(made.account, "100", on=RIPE)
        with pytest.raises(WriteOffRefused, match=r"USD 60\.00 of invoice .* is still open"):
            recovered(made, payment)
        pay(made, on=RIPE + timedelta(days=1))
        recovered(made, payment)
        assert balances(made.account)["CUSTOMER_CREDIT"] == D(-60)

    def test_takes_no_other_accounts_money(self):
        made = invoice()
        written_off(made)
        with pytest.raises(WriteOffRefused, match="another account's"):
            recovered(made, money(customer(), "100", on=RIPE))

    def test_needs_right_and_reason(self):
        made = invoice()
        written_off(made)
        payment = money(made.account, "100", on=RIPE)
        with pytest.raises(NotPermitted):
            recovered(made, payment, actor=NOBODY)
        with pytest.raises(BadValue):
            recovered(made, payment, why=" ")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_eight_reversals_and_recoveries_are_one_each(self):
        _, one = handed()
        record = remitted(one)
        assert len(failures(at_once([lambda: reversed_(record)] * 8))) == 7
        made = invoice()
        written_off(made)
        payment = money(made.account, "500", on=RIPE)
        assert len(failures(at_once([lambda: recovered(made, payment)] * 8))) == 7
        assert balances(made.account)["CUSTOMER_CREDIT"] == D(-400)
