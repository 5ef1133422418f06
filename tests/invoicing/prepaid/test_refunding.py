"""What was topped up and not used goes back to the method it came from."""

from datetime import date
from decimal import Decimal

import pytest

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, schedule
from accounts.models import AuditEntry
from invoicing.payments.asked import MoneyRefused
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.models import Refund
from invoicing.payments.refund_answers import record_refund_never_sent
from invoicing.prepaid.refunding import refund_top_up
from invoicing.prepaid.topping_up import top_up, top_up_due
from invoicing.runs.books import differences_in_books
from tests.invoicing.payments.factories import card, ship_rates
from tests.invoicing.prepaid.factories import NOW, balance_of, per_use, posted_balance, prepaid, take, use

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal
MAY = frozenset(f"invoicing.{name}" for name in ("top_up", "take_payment", "refund_payment"))
MIA = Actor(ActorKind.STAFF, "Mia Manager", Channel.CONSOLE, permissions=MAY)
NORA = Actor(ActorKind.STAFF, "Nora Nobody", Channel.CONSOLE)


@pytest.fixture
def topped_up(gateway):
    ship_rates()
    account = prepaid()
    card(account)
    return top_up(account, D(100), actor=MIA, now=NOW)


def give_back(made, **values):
    made.refresh_from_db()
    return refund_top_up(made, **({"actor": MIA, "now": NOW, "reason": "The customer leaves."} | values))


class TestRefundTopUp:
    def test_leaves_the_balance_and_reaches_the_card_with_its_fee(self, topped_up):
        """FEE-3: New York is no exempt state, so 1 % was charged and goes back."""
        given = give_back(topped_up)
        assert (given.state, given.amount, given.fee) == ("SUCCEEDED", D(100), D(1))
        assert balance_of(topped_up.account) == posted_balance(topped_up.account) == 0
        assert list(differences_in_books()) == []

    def test_in_part_leaves_the_rest(self, topped_up):
        give_back(topped_up, amount=D(30))
        assert balance_of(topped_up.account) == posted_balance(topped_up.account) == D(70)

    def test_twice_never_exceeds_what_was_paid(self, topped_up):
        give_back(topped_up, amount=D(60))
        with pytest.raises(MoneyRefused, match="USD 40.00"):
            give_back(topped_up, amount=D(60))
        assert balance_of(topped_up.account) == posted_balance(topped_up.account) == D(40)

    def test_of_what_is_used_up_is_refused(self, topped_up):
        per_use(price="1")
        take(use(topped_up.account, "25"))
        with pytest.raises(MoneyRefused, match="used up"):
            give_back(topped_up)
        assert balance_of(topped_up.account) == D(75)
        assert not Refund.objects.exists()

    def test_that_is_refused_goes_back_to_the_balance(self, topped_up):
        with pytest.raises(MoneyRefused, match="Say why"):
            give_back(topped_up, reason=" ")
        assert balance_of(topped_up.account) == posted_balance(topped_up.account) == D(100)
        assert list(differences_in_books()) == []

    def test_that_fails_days_later_goes_back_to_the_balance(self, topped_up, gateway):
        """The sweep finds it: else it would lie with the payment, where no prepaid charge ever looks."""
        gateway.stripe.faults = Told([Fault.TIMEOUT_BEFORE], call="refund")
        given = give_back(topped_up)
        assert (given.state, balance_of(topped_up.account)) == ("UNKNOWN", 0)
        record_refund_never_sent(given, now=NOW)
        assert balance_of(topped_up.account) == 0
        assert top_up_due(actor=schedule(), now=NOW).credited == 1
        assert top_up_due(actor=schedule(), now=NOW).credited == 0
        assert balance_of(topped_up.account) == posted_balance(topped_up.account) == D(100)
        assert list(differences_in_books()) == []

    def test_leaves_no_trace_where_it_is_refused(self, topped_up):
        with pytest.raises(MoneyRefused, match="Say why"):
            give_back(topped_up, reason=" ")
        assert not AuditEntry.objects.filter(action="top_up.refund").exists()

    def test_asks_for_the_right(self, topped_up):
        with pytest.raises(NotPermitted):
            give_back(topped_up, actor=NORA)
        assert balance_of(topped_up.account) == D(100)


def test_the_day_is_the_sellers(topped_up):
    assert give_back(topped_up).on == date(2026, 3, 2)
