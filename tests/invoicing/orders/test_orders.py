"""SVC-1 and SEAT-2: what is bought and paid at once."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, Role
from accounts.decisions import Refused
from accounts.models import AuditEntry
from invoicing.collections.models import PlatformNotice
from invoicing.collections.operations import write_off
from invoicing.collections.reversing import recover_debt
from invoicing.invoices.credit_notes import credit_invoice
from invoicing.invoices.models import Invoice, OpenInvoice
from invoicing.ledger.operations import Side, post
from invoicing.orders.following import order_of
from invoicing.orders.models import Order
from invoicing.orders.operations import (
    OrderRefused,
    buy_seat,
    cancel_order,
    finish_order,
    follow_orders,
    order_service,
    pay_order,
    start_order,
)
from invoicing.payments.booking import book_payment
from invoicing.payments.models import Payment, Refund
from invoicing.payments.queries import unallocated
from invoicing.runs.books import differences_in_books
from invoicing.states import NotPossibleNow, move
from invoicing.subscriptions.models import OneOffCharge
from invoicing.subscriptions.operations import authorize_charge
from tests.invoicing import factories
from tests.invoicing.payments import factories as paying

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
D = Decimal
STAFF = Actor(
    ActorKind.STAFF,
    "Mia Manager",
    Channel.CONSOLE,
    permissions=frozenset(
        f"invoicing.{name}" for name in ("work_order", "book_payment", "take_payment", "refund_payment")
    ),
)

MANAGER = replace(STAFF, permissions=frozenset({"invoicing.write_off", "invoicing.issue_credit_note"}))


@pytest.fixture(autouse=True)
def rates():
    paying.ship_rates()


@pytest.fixture
def service():
    made = factories.plan("onboarding", "400", charge="ONE_OFF")
    made.product.invoiced_at_once = True
    made.product.save()
    return made


@pytest.fixture
def account():
    return factories.customer()


def asked(account, plan, *roles) -> Order:
    actor = factories.contact_of(account, *roles)
    return order_service(account, plan, "Moving the mailboxes", actor=actor, now=NOW)


def paid_by_check(order, amount="400") -> Payment:
    return book_payment(
        order.invoice.account,
        kind="CHECK",
        amount=D(amount),
        currency="USD",
        reference=f"check {order.pk}",
        received_on=date(2026, 3, 2),
        actor=STAFF,
        now=NOW,
    )


class TestAProfessionalService:
    """SVC-1."""

    def test_authorized_is_invoiced_at_once_and_due_at_once(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        assert order.state == "INVOICED"
        invoice = order.invoice
        assert (invoice.total, invoice.issued_on, invoice.due_on) == (D("400"), date(2026, 3, 2), date(2026, 3, 2))
        assert [line.clause for line in invoice.lines.all()] == ["SVC-1"]
        assert list(differences_in_books()) == []

    def test_asked_by_a_billing_contact_waits_for_an_authorization(self, account, service):
        """AUTH-6."""
        order = asked(account, service, Role.BILLING)
        assert (order.state, order.invoice) == ("REQUESTED", None)
        follow_orders(now=NOW)
        order.refresh_from_db()
        assert order.state == "REQUESTED"

    def test_is_invoiced_once_it_is_authorized(self, account, service):
        order = asked(account, service, Role.BILLING)
        authorize_charge(order.one_off, actor=factories.contact_of(account, Role.PRIMARY), now=NOW)
        follow_orders(now=NOW)
        follow_orders(now=NOW)
        order.refresh_from_db()
        assert order.state == "INVOICED"
        assert Invoice.objects.filter(account=account).count() == 1

    def test_is_not_asked_for_by_a_technical_contact(self, account, service):
        with pytest.raises(Refused, match="AUTH-6"):
            asked(account, service, Role.TECHNICAL)
        assert not Order.objects.exists()

    def test_does_not_start_before_it_is_paid(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        with pytest.raises(OrderRefused, match="SVC-1: It is not paid"):
            start_order(order=order, actor=STAFF, now=NOW)

    def test_may_start_when_it_is_paid_to_the_cent(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        paid_by_check(order, "399.99")
        order.refresh_from_db()
        assert order.state == "INVOICED"
        paid_by_check(order, "0.01")
        order.refresh_from_db()
        assert (order.state, order.paid_at) == ("PAID", NOW)
        notice = PlatformNotice.objects.get()
        assert (notice.event, notice.payload["clause"]) == ("START", "SVC-1")

    def test_is_started_and_done(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        paid_by_check(order)
        start_order(order=order, actor=STAFF, now=NOW)
        order = finish_order(order=order, actor=STAFF, now=NOW)
        assert (order.state, order.done_at) == ("DONE", NOW)
        with pytest.raises(OrderRefused):
            start_order(order=order, actor=STAFF, now=NOW)

    def test_is_on_no_later_invoice(self, account, service):
        asked(account, service, Role.PRIMARY)
        factories.bill(date(2026, 4, 1))
        assert Invoice.objects.filter(account=account).count() == 1

    def test_of_a_charge_recorded_elsewhere_becomes_an_order(self, account, service):
        factories.one_off_charge(account, service, date(2026, 3, 2))
        assert follow_orders(now=NOW) == 2
        assert Order.objects.get().state == "INVOICED"

    def test_paid_by_card_that_is_charged_back_may_not_start_any_more(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        payment = paid_by_check(order)
        order.refresh_from_db()
        assert order.state == "PAID"
        # What a return does to the books is the payments room's; here the money just leaves the invoice again.
        paying_back(payment, order.invoice)
        follow_orders(now=NOW)
        order.refresh_from_db()
        assert (order.state, order.paid_at) == ("INVOICED", None)

    def test_keeps_to_its_transitions_in_the_database_too(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        with pytest.raises(Exception, match="[Tt]ransition|keeps_to_transitions"):
            Order.objects.filter(pk=order.pk).update(state="DONE")


def paying_back(payment, invoice) -> None:
    """The allocation taken back."""
    post(
        account_id=payment.account_id,
        source=f"taken-back:{payment.pk}",
        kind="ALLOCATION",
        currency="USD",
        on=date(2026, 3, 3),
        now=NOW,
        sides=[
            Side("RECEIVABLE", payment.amount, invoice_id=invoice.pk, payment_id=payment.pk),
            Side("CUSTOMER_CREDIT", -payment.amount, invoice_id=invoice.pk, payment_id=payment.pk),
        ],
    )


class TestACancelledOrder:
    """SVC-1: cancelled before the start, what was paid goes back."""

    def test_that_waits_for_payment_is_credited(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        order = cancel_order(
            order=order, actor=factories.contact_of(account, Role.PRIMARY_BILLING), now=NOW, reason="Not needed."
        )
        assert order.state == "CANCELLED"
        assert not OpenInvoice.objects.exists()
        assert Invoice.objects.filter(kind="CREDIT_NOTE").get().total == D("-400")

    def test_that_is_paid_by_card_is_refunded_with_its_fee(self, account, service):
        """FEE-3."""
        order = asked(account, service, Role.PRIMARY)
        payment = pay_order(order, paying.card(account), actor=STAFF, now=NOW)
        order.refresh_from_db()
        cancel_order(order=order, actor=STAFF, now=NOW, reason="Not needed.")
        refund = Refund.objects.get()
        assert (refund.payment, refund.amount, refund.fee) == (payment, D("400"), D("4"))
        assert list(differences_in_books()) == []

    def test_that_is_paid_by_check_leaves_the_money_as_the_customers_credit(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        payment = paid_by_check(order)
        order.refresh_from_db()
        cancel_order(order=order, actor=STAFF, now=NOW, reason="Not needed.")
        assert unallocated(payment.pk) == D("400")
        assert not Refund.objects.exists()

    def test_is_not_cancelled_after_the_start(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        paid_by_check(order)
        start_order(order=order, actor=STAFF, now=NOW)
        with pytest.raises(OrderRefused, match="started"):
            cancel_order(order=order, actor=STAFF, now=NOW, reason="Too late.")
        assert not Invoice.objects.filter(kind="CREDIT_NOTE").exists()

    def test_is_not_cancelled_by_a_technical_contact(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        with pytest.raises(Refused):
            cancel_order(
                order=order, actor=factories.contact_of(account, Role.TECHNICAL), now=NOW, reason="Not needed."
            )

    def test_of_which_the_request_was_withdrawn_never_is_invoiced(self, account, service):
        order = asked(account, service, Role.BILLING)
        cancel_order(order=order, actor=factories.contact_of(account, Role.PRIMARY), now=NOW, reason="Not needed.")
        follow_orders(now=NOW)
        order.refresh_from_db()
        assert order.state == "CANCELLED"
        assert not Invoice.objects.exists()

    def test_with_a_payment_under_way_waits_for_it(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        payment = pay_order(order, paying.bank_account(account), actor=STAFF, now=NOW)
        assert payment.state == "PENDING"
        with pytest.raises(OrderRefused, match="payment for it is under way"):
            cancel_order(order=order, actor=STAFF, now=NOW, reason="Not needed.")
        order.refresh_from_db()
        assert order.state == "INVOICED"
        assert not Invoice.objects.filter(kind="CREDIT_NOTE").exists()

    def test_that_is_paid_is_not_cancelled_by_staff_who_may_not_refund(self, account, service):
        """An agent works orders; money goes back by a manager."""
        order = asked(account, service, Role.PRIMARY)
        pay_order(order, paying.card(account), actor=STAFF, now=NOW)
        order.refresh_from_db()
        agent = replace(STAFF, permissions=frozenset({"invoicing.work_order"}))
        with pytest.raises(NotPermitted):
            cancel_order(order=order, actor=agent, now=NOW, reason="Not needed.")
        order.refresh_from_db()
        assert order.state == "PAID"
        assert not Invoice.objects.filter(kind="CREDIT_NOTE").exists()

    def test_leaves_no_trace_of_a_cancellation_that_was_refused(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        paid_by_check(order)
        start_order(order=order, actor=STAFF, now=NOW)
        with pytest.raises(OrderRefused):
            cancel_order(
                order=order, actor=factories.contact_of(account, Role.PRIMARY_BILLING), now=NOW, reason="Too late."
            )
        assert not AuditEntry.objects.filter(action__in=["order.cancel", "order.cancelled"]).exists()


class TestAnOrderThatNobodyPaid:
    """SVC-1: work starts only when it is paid."""

    def test_does_not_start_when_its_invoice_is_given_up(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        write_off(invoice=order.invoice, why="Cannot be found.", actor=MANAGER, now=NOW)
        follow_orders(now=NOW)
        order.refresh_from_db()
        assert order.state == "INVOICED"
        assert not PlatformNotice.objects.exists()

    def test_may_start_once_what_was_given_up_has_come(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        write_off(invoice=order.invoice, why="Cannot be found.", actor=MANAGER, now=NOW)
        late = paid_by_check(order)
        recover_debt(invoice=order.invoice, why="A check.", actor=MANAGER, now=NOW, payment=late)
        follow_orders(now=NOW)
        order.refresh_from_db()
        assert order.state == "PAID"
        assert PlatformNotice.objects.get().event == "START"

    def test_is_cancelled_when_its_invoice_is_credited(self, account, service):
        order = asked(account, service, Role.PRIMARY)
        credit_invoice(invoice=order.invoice, actor=MANAGER, now=NOW, reason="Asked for by mistake.")
        follow_orders(now=NOW)
        order.refresh_from_db()
        assert order.state == "CANCELLED"
        assert not PlatformNotice.objects.exists()


class TestOrdersOnOneInvoice:
    """Two that a month's invoice carries: each follows it, and is cancelled by its own lines."""

    @pytest.fixture
    def two(self, account, service):
        factories.one_off_charge(account, service, date(2026, 3, 1))
        factories.one_off_charge(account, service, date(2026, 3, 2))
        factories.bill(date(2026, 4, 1))
        first, second = OneOffCharge.objects.order_by("pk")
        # The run came before the orders did.
        OneOffCharge.objects.update(billed_on=None)
        return order_of(first, now=NOW), order_of(second, now=NOW)

    def test_start_when_it_is_paid(self, account, two):
        follow_orders(now=NOW)
        first, second = Order.objects.order_by("pk")
        assert (first.state, second.state) == ("INVOICED", "INVOICED")
        assert first.invoice == second.invoice
        paid_by_check(first, "800")
        assert set(Order.objects.values_list("state", flat=True)) == {"PAID"}

    def test_are_cancelled_one_by_one(self, account, two):
        follow_orders(now=NOW)
        cancel_order(order=Order.objects.earliest("pk"), actor=STAFF, now=NOW, reason="Not needed.")
        assert Invoice.objects.get(kind="CREDIT_NOTE").total == D("-400")
        assert list(Order.objects.order_by("pk").values_list("state", flat=True)) == ["CANCELLED", "INVOICED"]


class TestASeat:
    """SEAT-2."""

    @pytest.fixture
    def company(self):
        return factories.per_seat_company()

    @pytest.fixture
    def seat(self):
        return factories.plan("evaluation", "50", setup_fee="20", deposit="500")

    def test_is_invoiced_at_once_with_its_fees_and_deposit(self, company, seat):
        order = buy_seat(company, seat, actor=factories.contact_of(company, Role.PRIMARY), now=NOW)
        assert (order.state, order.invoice.total) == ("INVOICED", D("570"))
        assert {line.clause for line in order.invoice.lines.all()} == {"SEAT-1", "SEAT-2"}

    def test_starts_when_it_is_paid(self, company, seat):
        order = buy_seat(company, seat, actor=factories.contact_of(company, Role.PRIMARY), now=NOW)
        paid_by_check(order, "570")
        order.refresh_from_db()
        assert order.state == "PAID"
        assert PlatformNotice.objects.get().payload["subscription"] == order.subscription.reference

    def test_is_charged_to_the_card_at_once(self, company, seat):
        method = paying.card(company)
        order = buy_seat(company, seat, actor=factories.contact_of(company, Role.PRIMARY), now=NOW, pay_with=method)
        payment = Payment.objects.get()
        assert (payment.state, payment.amount) == ("SUCCEEDED", D("570"))
        assert order.state == "PAID"

    def test_declined_waits_for_payment(self, company, seat):
        method = paying.card(company, "decline.insufficient_funds")
        order = buy_seat(company, seat, actor=factories.contact_of(company, Role.PRIMARY), now=NOW, pay_with=method)
        assert order.state == "INVOICED"
        assert not PlatformNotice.objects.exists()

    def test_bought_again_under_the_same_reference_is_the_same_order(self, company, seat):
        actor = factories.contact_of(company, Role.PRIMARY)
        first = buy_seat(company, seat, actor=actor, now=NOW, reference="SEAT-9")
        again = buy_seat(company, seat, actor=actor, now=NOW, reference="SEAT-9")
        assert first == again
        assert Invoice.objects.count() == 1

    def test_paid_twice_at_once_is_refused(self, company, seat):
        method = paying.card(company)
        order = buy_seat(company, seat, actor=factories.contact_of(company, Role.PRIMARY), now=NOW, pay_with=method)
        with pytest.raises(OrderRefused, match="SEAT-2"):
            pay_order(order, method, actor=STAFF, now=NOW)

    def test_cancelled_before_the_start_ends_and_is_credited(self, company, seat):
        order = buy_seat(company, seat, actor=factories.contact_of(company, Role.PRIMARY), now=NOW)
        order = cancel_order(
            order=order, actor=factories.contact_of(company, Role.PRIMARY_BILLING), now=NOW, reason="Wrong plan."
        )
        order.subscription.refresh_from_db()
        assert (order.state, order.subscription.ended_on) == ("CANCELLED", date(2026, 3, 3))
        assert not OpenInvoice.objects.exists()
        factories.bill(date(2026, 4, 2))
        assert Invoice.objects.filter(kind="INVOICE").count() == 1


def test_an_order_never_moves_where_its_table_does_not_lead():
    for before, afters in Order.TRANSITIONS.items():
        for after in Order.State:
            if after in afters or after == before:
                continue
            order = Order(state=before)
            with pytest.raises(NotPossibleNow):
                move(order, after)
