"""P11: every change has who, when, channel and why. Each operation that somebody can ask for leaves an audit entry."""

import inspect
import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from accounts import invitations, tokens
from accounts.actors import Actor, ActorKind, Channel
from accounts.models import Account, AuditEntry
from invoicing.book import operations as book_operations
from invoicing.documents import operations as document_operations
from invoicing.documents.models import Delivery, Document
from invoicing.invoices import credit_notes
from invoicing.invoices.models import Invoice
from invoicing.ledger.operations import Side, post
from invoicing.payments import adopting, allocation, booking, charging, events, methods, refunds, resolving, sweeping
from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.registry import installed
from invoicing.payments.models import Payment
from invoicing.payments.notices import WebhookEvent
from invoicing.prepaid import migration, topping_up, usage_files
from invoicing.reports import operations as report_operations
from invoicing.reports.report import Asked
from invoicing.runs import lifecycle, operations, retries, retrying, schedule
from invoicing.runs.models import Run, RunItem
from tests.accounts.factories import make_contact
from tests.chaos.results import row_hashes
from tests.invoicing.factories import NOW, bill, customer, per_seat_company, plan, seller, subscription, terms
from tests.invoicing.payments import factories as money
from tests.invoicing.prepaid import factories as prepaid_balances

pytestmark = pytest.mark.django_db

MARCH = date(2026, 3, 1)
HELD = (
    "start_run", "approve_run", "retry_parked", "issue_credit_note", "resend_invoice", "import_book",
    "take_payment", "book_payment", "allocate_payment", "refund_payment", "resolve_event",
    "view_reports", "top_up", "migrate_credit",
)  # fmt: skip
MIA = Actor(
    ActorKind.STAFF,
    "Mia Manager",
    Channel.CONSOLE,
    permissions=frozenset(f"invoicing.{name}" for name in HELD)
    | {"accounts.view_account", "accounts.manage_tokens", "accounts.invite_contact"},
)
NOBODY = Actor(ActorKind.STAFF, "Nora Nobody", Channel.CONSOLE)
MODULES = (operations, lifecycle, retries, retrying, schedule, credit_notes, document_operations, book_operations,
           report_operations, adopting, allocation, booking, charging, refunds, resolving, events, sweeping,
           methods, tokens, invitations, usage_files, topping_up, migration)  # fmt: skip

# Asked for by contacts, and never by staff themselves: tests/invoicing/payments/test_methods.py looks at each of them.
ASKED_BY_CONTACTS = {"start_adding_method", "finish_adding_method", "set_default_method", "remove_method",
                     "keep_announced_method"}  # fmt: skip
# What an operation calls is audited there: these only go on, under the name of who released the run, or are steps.
STEPS = {
    "top_up_due",
    "advance",
    "bill_what_is_due",
    "review",
    "release",
    "retry_items",
    "begin_proposing",
    "issue_approved",
}


@pytest.fixture(autouse=True)
def demo() -> Iterator[DemoGateway]:
    """A gateway that does as it is told, for those operations that call one."""
    gateway = DemoGateway(clock=SetClock(NOW))
    with installed(gateway):
        yield gateway


def who_owes() -> Account:
    """An account with an open invoice of USD 100.00 and a card."""
    account = customer(profile={"auto_charge": True})
    money.invoice(account)
    money.card(account)
    return account


def by_check(account: Account, actor: Actor = MIA, amount: int = 100) -> Payment:
    return booking.book_payment(
        account, kind="CHECK", amount=Decimal(amount), currency="USD", reference="c1", received_on=date(2026, 3, 1),
        actor=actor, now=NOW,
    )  # fmt: skip


def paid() -> Payment:
    account = who_owes()
    return charging.charge(account.pk, account.payment_methods.get(), actor=MIA, now=NOW)


def not_answered() -> Payment:
    account = who_owes()
    with installed(DemoGateway(clock=SetClock(NOW), faults=Told([Fault.TIMEOUT_BEFORE]))):
        return charging.charge(account.pk, account.payment_methods.get(), actor=MIA, now=NOW)


def with_credit() -> Account:
    """An account with an open invoice, and credit of its own that came later."""
    account = who_owes()
    post(
        account_id=account.pk, source=f"given:{account.pk}", kind="MIGRATION", currency="USD", on=MARCH, now=NOW,
        sides=[Side("CUSTOMER_CREDIT", Decimal(-10)), Side("OPENING", Decimal(10))],
    )  # fmt: skip
    return account


def taken_off() -> Payment:
    """A check that was taken off its invoice."""
    payment = by_check(who_owes())
    allocation.take_back(payment, Invoice.objects.get(), actor=MIA, now=NOW, why="Wrong.")
    return payment


def parked_notice() -> WebhookEvent:
    return WebhookEvent.objects.create(
        gateway="demo", event_id="evt_1", type="x", body="{}", state="PARKED", made_at=NOW, received_at=NOW
    )


def refunded_elsewhere() -> WebhookEvent:
    """A notice that somebody refunded a payment of ours at the gateway itself."""
    payment = paid()
    refund = {
        "id": "re_elsewhere", "object": "refund", "amount": 100, "currency": "usd", "status": "succeeded",
        "payment_intent": payment.gateway_reference,
    }  # fmt: skip
    body = {"id": "evt_1", "object": "event", "type": "refund.created", "created": 1, "data": {"object": refund}}
    return WebhookEvent.objects.create(
        gateway="demo", event_id="evt_1", type="refund.created", body=json.dumps(body), state="PARKED", payment=payment,
        made_at=NOW, received_at=NOW,
    )  # fmt: skip


def customer_with_mail():
    account = customer()
    subscription(account, plan(f"mail-{account.pk}", "10"), date(2026, 2, 1))
    return account


def waiting_run() -> Run:
    terms("hosted-direct", approval="REVIEW")
    customer_with_mail()
    return operations.run_billing(seller=seller(), on=MARCH, actor=MIA, now=NOW)


def parked_run() -> Run:
    subscription(customer(), plan("unpriced", None), date(2026, 2, 1))
    return operations.run_billing(seller=seller(), on=MARCH, actor=MIA, now=NOW)


def issued_invoice() -> Invoice:
    customer_with_mail()
    operations.run_billing(seller=seller(), on=MARCH, actor=MIA, now=NOW)
    return Invoice.objects.get()


def parked_document() -> Document:
    issued_invoice()
    Document.objects.update(state="PARKED", error="The disk was full.")
    return Document.objects.get()


def parked_delivery() -> Delivery:
    issued_invoice()
    Delivery.objects.update(state="PARKED", error="550 nobody of that name")
    return Delivery.objects.get()


def a_book(folder: Path) -> book_operations.Book:
    header, row = "number,name,terms,signed_up_on,opening_balance", "C-1,Acme,hosted-direct,2026-01-15,12.50"
    (folder / "accounts.csv").write_text(f"{header}\n{row}\n")
    return book_operations.read_book(folder)


def low_balance() -> Account:
    account = prepaid_balances.prepaid("1")
    money.card(account)
    prepaid_balances.agreement(account)
    return account


def file_of_uses(folder: Path) -> Path:
    prepaid_balances.per_use()
    account, path = prepaid_balances.prepaid("1"), folder / "uses.csv"
    path.write_text(f"key,account,product,at,quantity\na,{account.number},calls,{NOW.isoformat()},1\n")
    return path


def moved_account() -> Account:
    account = per_seat_company(15, profile={"bill_from_on": date(2026, 2, 15)})
    subscription(account, plan(f"seat-{account.pk}", "28"), date(2026, 2, 15))
    bill(date(2026, 2, 15))
    account.billing_profile.terms = terms("prepaid")
    account.billing_profile.save()
    return account


# Each operation by its name: what has to be there before, and the call itself.
CALLS: dict[str, tuple[Callable, Callable]] = {
    "run_billing": (
        lambda folder: customer_with_mail(),
        lambda _, actor: operations.run_billing(seller=seller(), on=MARCH, actor=actor, now=NOW),
    ),
    "open_run": (
        lambda folder: None,
        lambda _, actor: lifecycle.open_run(seller=seller(), on=MARCH, actor=actor, now=NOW),
    ),
    "approve": (lambda folder: waiting_run(), lambda run, actor: operations.approve(run, actor=actor, now=NOW)),
    "discard": (
        lambda folder: waiting_run(),
        lambda run, actor: operations.discard(run, actor=actor, now=NOW, why="A wrong price."),
    ),
    "retry_parked": (lambda folder: parked_run(), lambda run, actor: retries.retry_parked(run, actor=actor, now=NOW)),
    "propose_again": (
        lambda folder: waiting_run(),
        lambda run, actor: retries.propose_again(
            run, account=RunItem.objects.get().account, actor=actor, now=NOW
        ),
    ),
    "credit_invoice": (
        lambda folder: issued_invoice(),
        lambda invoice, actor: credit_notes.credit_invoice(
            invoice=invoice, actor=actor, now=NOW, reason="Not ordered.",
            amounts={invoice.lines.get().pk: Decimal(4)},
        ),
    ),
    "resend": (
        lambda folder: issued_invoice() and Document.objects.get(),
        lambda document, actor: document_operations.resend(
            document=document, addresses=["ap@acme.example"], actor=actor, now=NOW, why="Lost."
        ),
    ),
    "retry_document": (
        lambda folder: parked_document(),
        lambda document, actor: document_operations.retry_document(document=document, actor=actor, now=NOW),
    ),
    "retry_delivery": (
        lambda folder: parked_delivery(),
        lambda delivery, actor: document_operations.retry_delivery(delivery=delivery, actor=actor, now=NOW),
    ),
    "import_book": (
        lambda folder: seller() and terms("hosted-direct") and a_book(folder),
        lambda book, actor: book_operations.import_book(book, actor=actor, now=NOW),
    ),
    "request_export": (
        lambda folder: seller(),
        lambda _, actor: report_operations.request_export(
            "cash", Asked(on=MARCH, from_on=MARCH, to_on=MARCH, currency="USD"), actor=actor, now=NOW
        ),
    ),
    "request_statement": (
        lambda folder: customer(),
        lambda account, actor: report_operations.request_statement(
            account, date(2026, 2, 1), date(2026, 2, 28), actor=actor, now=NOW
        ),
    ),
    "allocate": (lambda folder: taken_off(), lambda payment, actor: allocation.allocate(payment, actor=actor, now=NOW)),
    "take_back": (
        lambda folder: by_check(who_owes()),
        lambda payment, actor: allocation.take_back(
            payment, Invoice.objects.get(), actor=actor, now=NOW, why="Wrong."
        ),
    ),
    "apply_credit": (
        lambda folder: with_credit(),
        lambda account, actor: allocation.apply_credit(account, actor=actor, now=NOW, currency="USD"),
    ),
    "book_payment": (lambda folder: who_owes(), lambda account, actor: by_check(account, actor)),
    "charge": (
        lambda folder: who_owes(),
        lambda account, actor: charging.charge(account.pk, account.payment_methods.get(), actor=actor, now=NOW),
    ),
    "record_attempt": (
        lambda folder: who_owes(),
        lambda account, actor: charging.record_attempt(
            account.pk, account.payment_methods.get(), actor=actor, now=NOW
        ),
    ),
    "charge_due": (
        lambda folder: who_owes(), lambda _, actor: sweeping.charge_due(on=MARCH, actor=actor, now=NOW)
    ),
    "record_refund": (
        lambda folder: paid(),
        lambda payment, actor: refunds.record_refund(payment, actor=actor, now=NOW, reason="Not wanted."),
    ),
    "refund": (
        lambda folder: paid(),
        lambda payment, actor: refunds.refund(payment, actor=actor, now=NOW, reason="Not wanted."),
    ),
    "look_now": (
        lambda folder: not_answered(), lambda payment, actor: resolving.look_now(payment, actor=actor, now=NOW)
    ),
    "give_up": (
        lambda folder: not_answered(),
        lambda payment, actor: resolving.give_up(payment, actor=actor, now=NOW, why="Seen at the gateway."),
    ),
    "resolve_event": (
        lambda folder: parked_notice(),
        lambda event, actor: events.resolve_event(event, actor=actor, now=NOW, why="Given back."),
    ),
    "book_refund_made_elsewhere": (
        lambda folder: refunded_elsewhere(),
        lambda event, actor: adopting.book_refund_made_elsewhere(event, actor=actor, now=NOW, reason="Given back."),
    ),
    "retry_event": (
        lambda folder: parked_notice(), lambda event, actor: events.retry_event(event, actor=actor, now=NOW)
    ),
    "block_method": (
        lambda folder: money.card(customer()),
        lambda method, actor: methods.block_method(method, because="stolen_card", actor=actor, now=NOW),
    ),
    "invite_contact": (
        lambda folder: make_contact(customer(), "Ann Invited"),
        lambda contact, actor: invitations.invite_contact(contact, actor=actor, now=NOW),
    ),
    "make_token": (
        lambda folder: None,
        lambda _, actor: tokens.make_token("platform", ["usage:write"], actor=actor, now=NOW),
    ),
    "revoke_token": (
        lambda folder: tokens.make_token("platform", ["usage:write"], actor=MIA, now=NOW)[0],
        lambda token, actor: tokens.revoke_token(token, actor=actor, now=NOW, why="Seen in a log."),
    ),
    "import_usage": (
        file_of_uses,
        lambda path, actor: usage_files.import_usage(path, actor=actor, now=NOW, at_most_days_old=62),
    ),
    "top_up": (
        lambda folder: low_balance(),
        lambda account, actor: topping_up.top_up(account, Decimal(5), actor=actor, now=NOW),
    ),
    "top_up_if_due": (
        lambda folder: low_balance(),
        lambda account, actor: topping_up.top_up_if_due(account.pk, actor=actor, now=NOW),
    ),
    "grant_migration_credit": (
        lambda folder: moved_account(),
        lambda account, actor: migration.grant_migration_credit(
            account, MARCH, actor=actor, now=NOW, why="Moved to telephony."
        ),
    ),
}  # fmt: skip
NEED_NO_PERMISSION = {"open_run"}
SAY_WHY = {"discard": "A wrong price.", "credit_invoice": "Not ordered.", "resend": "Lost.",
           "request_statement": "Asked for under AUTH-4.", "take_back": "Wrong.", "refund": "Not wanted.",
           "record_refund": "Not wanted.",
           "give_up": "Seen at the gateway.", "resolve_event": "Given back.",
           "book_refund_made_elsewhere": "Given back.",
           "block_method": "stolen_card",
           "revoke_token": "Seen in a log.", "grant_migration_credit": "Moved to telephony."}  # fmt: skip


class TestEachOperation:
    """P11."""

    def test_is_listed_here(self):
        """A new public function that takes an actor fails this until it has its own line above."""
        found = {
            name
            for module in MODULES
            for name, function in inspect.getmembers(module, inspect.isfunction)
            if not name.startswith("_")
            and function.__module__ == module.__name__
            and "actor" in inspect.signature(function).parameters
        }
        assert found - STEPS - ASKED_BY_CONTACTS == set(CALLS)

    @pytest.mark.parametrize("name", CALLS)
    def test_leaves_an_audit_entry_with_who_when_channel_and_why(self, name, tmp_path):
        prepare, call = CALLS[name]
        given = prepare(tmp_path)
        last = AuditEntry.objects.order_by("pk").values_list("pk", flat=True).last() or 0

        call(given, MIA)

        # What a gateway answers to it is on record too, under the gateway's name.
        left = AuditEntry.objects.filter(pk__gt=last).exclude(who__startswith="gateway ")
        assert left, "nothing is on record"
        for entry in left:
            assert (entry.who, entry.at, entry.channel) == ("Mia Manager", NOW, "CONSOLE")
            assert entry.action
            assert entry.subject
            assert entry.why == SAY_WHY.get(name, "")

    @pytest.mark.parametrize("name", [name for name in CALLS if name not in NEED_NO_PERMISSION])
    def test_refused_changes_nothing(self, name, tmp_path):
        prepare, call = CALLS[name]
        given = prepare(tmp_path)
        before = row_hashes()

        with pytest.raises(Exception, match="Nora Nobody may not do this: it needs the permission"):
            call(given, NOBODY)

        assert row_hashes() == before
