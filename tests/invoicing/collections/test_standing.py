"""One function says whether an account is in good standing, with reasons and clauses."""

from datetime import date
from decimal import Decimal

import pytest

from invoicing.collections.holds import place_hold
from invoicing.collections.restoring import suspend_account
from invoicing.collections.standing import standing_of, standings_of
from invoicing.payments.models import PaymentMethod
from invoicing.prepaid.models import PrepaidBalance
from tests.invoicing.collections.factories import DUE, MIA, NOW, invoice, money, pay, pending, statements
from tests.invoicing.collections.test_placements import RIPE, handed
from tests.invoicing.collections.test_suspension import WARN, swept
from tests.invoicing.factories import customer, partner_with_clients

pytestmark = pytest.mark.django_db
TODAY = date(2026, 3, 10)


def found(account, on=TODAY) -> list[tuple[str, str]]:
    return [(reason.matter, reason.clause) for reason in standing_of(account.pk, on=on).reasons]


def method(account, state):
    return PaymentMethod.objects.create(
        account=account, kind="CARD", gateway="demo", token=f"{state}{account.pk}", customer_token="c",
        last_four="4242", added_at=NOW, state=state,
    )  # fmt: skip


class TestStandingOf:
    def test_is_good_for_who_owes_nothing_yet(self):
        made = invoice(due_on=TODAY)
        assert standing_of(made.account_id, on=TODAY).is_good
        assert standing_of(made.account_id, on=TODAY).as_json() == {"good": True, "reasons": []}

    def test_names_what_is_overdue_and_what_puts_it_right(self):
        made = invoice(amount="100")
        pay(made, "40", on=DUE)
        said = standing_of(made.account_id, on=TODAY)
        assert not said.is_good
        assert said.as_json()["reasons"] == [{
            "matter": "OVERDUE", "clause": "SUSP-1", "way_out": "Pay what is open.",
            "sentence": f"USD 60.00 is overdue since 1 March 2026, on {made.number}.",
        }]  # fmt: skip

    @pytest.mark.parametrize("excuse", ["dispute", "credit", "pending"])
    def test_holds_nothing_against_who_has_an_excuse(self, excuse):
        made = invoice()
        if excuse == "dispute":
            place_hold(account=made.account, kind="DISPUTE", why="Asked.", actor=MIA, now=NOW, today=TODAY)
        elif excuse == "credit":
            money(made.account, "100", on=DUE)
        else:
            pending(made)
        assert found(made.account) == []

    def test_names_the_warning_and_the_suspension(self):
        made = invoice()
        swept(WARN)
        assert ("SUSPENSION_NEAR", "SUSP-1") in found(made.account)
        suspend_account(account=made.account, why="Fraud", actor=MIA, now=NOW)
        assert ("SUSPENDED", "SUSP-1") in found(made.account)

    def test_names_the_agency(self):
        made, _ = handed()
        assert found(made.account, RIPE) == [("WITH_AGENCY", "COLL-1")]

    def test_names_a_decline_while_it_is_not_paid(self):
        made = invoice(due_on=TODAY)
        pending(made, state="FAILED")
        made.payment_targets.update(is_open=False)
        assert found(made.account) == [("DECLINED", "SEAT-5")]
        pay(made, on=TODAY)
        assert found(made.account) == []

    @pytest.mark.parametrize(("states", "is_declined"), [
        (["BLOCKED"], True), (["BLOCKED", "ACTIVE"], False), (["ACTIVE"], False), (["REMOVED"], False),
    ])  # fmt: skip
    def test_names_a_method_that_is_blocked_where_there_is_no_other(self, states, is_declined):
        account = customer()
        for state in states:
            method(account, state)
        assert (found(account) == [("DECLINED", "SEAT-5")]) is is_declined

    def test_names_a_balance_that_is_short(self):
        account = customer("prepaid")
        PrepaidBalance.objects.create(account=account, currency="USD", awaiting=Decimal(50), awaiting_since_on=TODAY)
        assert found(account) == [("SHORT_BALANCE", "PRE-4")]

    def test_of_a_client_is_its_partners(self):
        partner, clients = partner_with_clients()
        invoice(partner)
        assert found(clients[0]) == [("OVERDUE", "SUSP-1")]

    def test_takes_a_constant_number_of_queries(self):
        one = invoice().account_id
        with statements() as few:
            standings_of([one], on=TODAY)
        more = [invoice().account_id for _ in range(5)]
        with statements() as many:
            standings_of([one, *more], on=TODAY)
        assert len(many) == len(few)
