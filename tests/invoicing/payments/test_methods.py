"""Payment methods: who may add, choose and remove them, and that nothing of it charges anything (AUTH-5, FEE-3)."""

from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, Role, command_line, schedule
from accounts.decisions import Refused
from accounts.models import AuditEntry, Decision
from invoicing.ledger.models import LedgerEntry
from invoicing.payments import methods
from invoicing.payments.forgetting import forget_removed
from invoicing.payments.gateways.faults import Fault, Told
from invoicing.payments.gateways.protocol import GatewayRefused, NoAnswer
from invoicing.payments.gateways.registry import NoSuchGateway, installed
from invoicing.payments.methods import (
    MethodRefused,
    block_method,
    finish_adding_method,
    keep_announced_method,
    remove_method,
    set_default_method,
    start_adding_method,
)
from invoicing.payments.models import Payment, PaymentMethod
from tests.chaos.at_once import at_once, failures
from tests.invoicing import factories as made
from tests.invoicing.payments.gateways.demo_gateways import NOW, charge_request, make_gateway, notices

pytestmark = pytest.mark.django_db
BACK = "https://billing.example/methods/"


@pytest.fixture
def book(settings):
    """An account with a Billing Contact, and a demo gateway where methods are added."""
    settings.PAYMENT_GATEWAY = "demo"
    with installed(make_gateway()) as gateway:
        account = made.customer()
        yield SimpleNamespace(gateway=gateway, account=account, asker=made.contact_of(account, Role.BILLING))


def started(book, **values) -> str:
    """The session of a page that was asked for."""
    given = {"account": book.account, "actor": book.asker} | values
    address = start_adding_method(given.pop("account"), return_to=BACK, now=NOW, **given)
    return address.rstrip("/").rpartition("/")[2]


def added(book, does: str = "card-ok", **shown) -> PaymentMethod:
    session = started(book)
    book.gateway.complete_page(session, does, **shown)
    return finish_adding_method(book.account, session, actor=book.asker, now=NOW)


def payment_by(method: PaymentMethod, state: str) -> Payment:
    return Payment.objects.create(
        account=method.account, method=method, kind=method.kind, gateway="demo", currency="USD", amount=10,
        state=state, key=f"k-{state}", made_by="x", on=NOW.date(), created_at=NOW,
    )  # fmt: skip


class TestAddingAMethod:
    def test_keeps_a_token_and_what_may_be_shown(self, book):
        method = added(book, brand="mastercard", last4="4444", funding="prepaid", exp_year=2027, exp_month=2)

        assert method.account == book.account
        assert (method.kind, method.brand, method.last_four, method.funding) == (
            "CARD", "Mastercard", "4444", "PREPAID",
        )  # fmt: skip
        assert (method.expires_on, method.added_at, method.gateway) == (date(2027, 2, 28), NOW, "demo")
        assert method.token.startswith("pm_demo-card-ok-")
        assert method.customer_token.startswith("cus_demo")

    def test_keeps_a_bank_account(self, book):
        method = added(book, "ach-ok", bank_name="HARBOR BANK", last4="0042")

        assert (method.kind, str(method), method.expires_on) == ("ACH", "HARBOR BANK ending in 0042", None)

    def test_makes_the_first_one_the_default_and_no_later_one(self, book):
        first, second = added(book), added(book)

        assert (first.is_default, second.is_default) == (True, False)
        assert second.customer_token == first.customer_token, "one customer with the gateway"

    def test_makes_the_next_one_the_default_when_the_first_was_refused_for_good(self, book):
        first = added(book)
        block_method(first, because="stolen_card", actor=schedule(), now=NOW)

        assert added(book).is_default

    def test_twice_is_once(self, book):
        session = started(book)
        book.gateway.complete_page(session)

        methods_ = [finish_adding_method(book.account, session, actor=book.asker, now=NOW) for _ in range(2)]

        assert methods_[0] == methods_[1]
        assert AuditEntry.objects.filter(action="payment_method.add").count() == 1

    def test_again_does_not_bring_a_removed_one_back(self, book):
        session = started(book)
        book.gateway.complete_page(session)
        remove_method(finish_adding_method(book.account, session, actor=book.asker, now=NOW), actor=book.asker, now=NOW)

        again = finish_adding_method(book.account, session, actor=book.asker, now=NOW)

        assert (again.state, again.is_default) == ("REMOVED", False)

    def test_charges_nothing_and_adds_no_fee(self, book):
        """FEE-3; Invoice Ninja added the fee as soon as a method was looked at."""
        method = added(book)
        set_default_method(method, actor=book.asker, now=NOW)

        assert book.gateway.charges() == []
        assert not Payment.objects.exists()
        assert not LedgerEntry.objects.filter(account=book.account).exists()

    def test_before_anything_was_entered_is_refused(self, book):
        with pytest.raises(MethodRefused, match="Nothing was entered"):
            finish_adding_method(book.account, started(book), actor=book.asker, now=NOW)
        assert not PaymentMethod.objects.exists()

    def test_with_another_accounts_page_is_refused_in_the_same_words(self, book):
        session = started(book)
        book.gateway.complete_page(session)
        other = made.customer()

        with pytest.raises(MethodRefused, match="Nothing was entered"):
            finish_adding_method(other, session, actor=made.contact_of(other, Role.PRIMARY), now=NOW)
        with pytest.raises(MethodRefused, match="Nothing was entered"):
            finish_adding_method(book.account, "cs_none", actor=book.asker, now=NOW)
        assert not PaymentMethod.objects.exists()

    def test_to_a_partners_client_is_refused(self, book):
        _, (client, _) = made.partner_with_clients()

        with pytest.raises(MethodRefused, match="is not billed itself"):
            started(book, account=client, actor=made.contact_of(client, Role.PRIMARY))

    def test_without_a_gateway_says_what_to_set(self, book, settings):
        settings.PAYMENT_GATEWAY = ""

        with pytest.raises(NoSuchGateway, match="set PAYMENT_GATEWAY"):
            started(book)

    def test_while_the_gateway_is_silent_changes_nothing(self, book):
        book.gateway.stripe.faults = Told([Fault.TIMEOUT_BEFORE], call="other")

        with pytest.raises(NoAnswer):
            started(book)
        assert not PaymentMethod.objects.exists()


class TestAnAnnouncedMethod:
    """The customer entered a method and closed the window."""

    def announced(self, book):
        book.gateway.complete_page(started(book))
        return [notice for notice in notices(book.gateway) if notice.about == "METHOD"]

    def keep(self, notice):
        return keep_announced_method(notice, gateway_name="demo", actor=schedule(), now=NOW)

    def test_is_kept_once_whoever_comes_first(self, book):
        of_setup, of_page = self.announced(book)

        method = self.keep(of_setup)
        assert self.keep(of_page) == method
        assert finish_adding_method(book.account, of_page.reference, actor=book.asker, now=NOW) == method
        assert method.is_default
        entry = AuditEntry.objects.get(action="payment_method.add")
        assert (entry.who, entry.why) == ("schedule", "Entered on the page that was asked for under AUTH-5.")

    def test_is_kept_when_its_bank_account_is_verified_days_after_the_page_was_left(self, book):
        session = started(book)
        book.gateway.complete_unverified(session)
        (of_page,) = [notice for notice in notices(book.gateway) if notice.about == "METHOD"]

        with pytest.raises(MethodRefused, match="a deposit of one cent"):
            finish_adding_method(book.account, session, actor=book.asker, now=NOW)
        assert self.keep(of_page) is None, "it cannot be charged yet"
        book.gateway.verify_method(session)
        (_, verified) = [notice for notice in notices(book.gateway) if notice.about == "METHOD"]

        method = self.keep(verified)
        assert (method.kind, method.account, method.state) == ("ACH", book.account, "ACTIVE")
        assert self.keep(of_page) == method

    def test_of_an_account_that_we_do_not_have_is_not_kept(self, book):
        _, of_page = self.announced(book)
        page = {**book.gateway.page(of_page.reference), "client_reference_id": "elsewhere"}
        book.gateway.state.put(page)

        assert self.keep(of_page) is None
        assert not PaymentMethod.objects.exists()


class TestTheDefault:
    def test_is_one_an_account(self, book):
        first, second = added(book), added(book)

        set_default_method(second, actor=book.asker, now=NOW)

        assert list(PaymentMethod.objects.filter(is_default=True)) == [second]
        entry = AuditEntry.objects.get(action="payment_method.default")
        assert entry.detail["before"] == {"default": str(first)}

    def test_that_is_so_already_leaves_no_entry(self, book):
        set_default_method(added(book), actor=book.asker, now=NOW)

        assert not AuditEntry.objects.filter(action="payment_method.default").exists()

    @pytest.mark.parametrize("state", ["REMOVED", "BLOCKED"])
    def test_is_none_that_was_removed_or_refused_for_good(self, book, state):
        method = added(book)
        PaymentMethod.objects.filter(pk=method.pk).update(state=state, is_default=False)

        with pytest.raises(MethodRefused, match="Choose another method"):
            set_default_method(method, actor=book.asker, now=NOW)


class TestRemovingAMethod:
    def test_leaves_no_default_until_another_one_is_chosen(self, book):
        first, second = added(book), added(book)

        remove_method(first, actor=book.asker, now=NOW)

        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.state, first.is_default, second.is_default) == ("REMOVED", False, False)

    @pytest.mark.parametrize("state", ["CREATED", "UNKNOWN", "PENDING"])
    def test_waits_for_a_payment_that_is_open(self, book, state):
        method = added(book)
        payment = payment_by(method, state)

        with pytest.raises(MethodRefused, match=f"is used by payment {payment.pk}, which is still open"):
            remove_method(method, actor=book.asker, now=NOW)
        method.refresh_from_db()
        assert method.state == "ACTIVE"

    @pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELLED", "RETURNED"])
    def test_waits_for_no_payment_that_has_ended(self, book, state):
        method = added(book)
        payment_by(method, state)

        assert remove_method(method, actor=book.asker, now=NOW).state == "REMOVED"

    def test_has_its_gateway_forget_it(self, book):
        method = added(book)

        remove_method(method, actor=book.asker, now=NOW)

        method.refresh_from_db()
        assert method.forgotten_at == NOW
        with pytest.raises(GatewayRefused, match="does not have a payment method"):
            book.gateway.charge(charge_request(method_token=method.token, customer_token=method.customer_token))

    def test_is_done_though_its_gateway_is_silent_which_is_asked_again_later(self, book):
        first, second = added(book), added(book)
        book.gateway.stripe.faults = Told([Fault.TIMEOUT_BEFORE] * 3, call="other")
        for method in (first, second):
            assert remove_method(method, actor=book.asker, now=NOW).state == "REMOVED"
        later = NOW + timedelta(hours=1)

        assert forget_removed(now=later) == 0, "silent still, and asked once"
        assert forget_removed(now=later) == 2
        assert forget_removed(now=later) == 0
        assert set(PaymentMethod.objects.values_list("forgotten_at", flat=True)) == {later}

    def test_is_done_though_its_gateway_is_not_set_up_any_more(self, book):
        method = added(book)
        PaymentMethod.objects.update(gateway="stripe")

        remove_method(method, actor=book.asker, now=NOW)

        assert forget_removed(now=NOW) == 0
        method.refresh_from_db()
        assert (method.state, method.forgotten_at) == ("REMOVED", None)


class TestBlockingAMethod:
    def test_is_the_systems_and_keeps_the_reason_without_card_numbers(self, book):
        method = block_method(added(book), because="stolen_card: 4242 4242 4242 4242", actor=schedule(), now=NOW)

        assert (method.state, method.is_default) == ("BLOCKED", False)
        assert method.blocked_because == "stolen_card: **** **** **** 4242"
        assert AuditEntry.objects.get(action="payment_method.block").why == method.blocked_because

    def test_of_a_removed_one_changes_nothing(self, book):
        method = remove_method(added(book), actor=book.asker, now=NOW)

        assert block_method(method, because="lost_card", actor=schedule(), now=NOW).state == "REMOVED"

    def test_needs_the_permission(self, book):
        with pytest.raises(NotPermitted, match=r"invoicing\.take_payment"):
            block_method(added(book), because="x", actor=Actor(ActorKind.STAFF, "Nora", Channel.CONSOLE), now=NOW)


# One call of every operation that is asked for, each with what it does when it is allowed.
ASKED = {
    "start_adding_method": lambda book, actor: started(book, actor=actor),
    "finish_adding_method": lambda book, actor: finish_adding_method(book.account, book.session, actor=actor, now=NOW),
    "set_default_method": lambda book, actor: set_default_method(book.second, actor=actor, now=NOW),
    "remove_method": lambda book, actor: remove_method(book.second, actor=actor, now=NOW),
}
NOT_ASKED = {"block_method", "keep_announced_method"}
MAY = {Role.PRIMARY, Role.PRIMARY_BILLING, Role.BILLING}


@pytest.fixture
def full(book):
    """Two methods, and a page on which a third was entered."""
    added(book)
    book.second = added(book)
    book.session = started(book)
    book.gateway.complete_page(book.session)
    book.before = (AuditEntry.objects.latest("pk").pk, Decision.objects.latest("pk").pk)
    return book


def entries(book):
    """What the call under test left in the audit trail, and on record as decided."""
    audited, decided = book.before
    return AuditEntry.objects.filter(pk__gt=audited), Decision.objects.filter(pk__gt=decided)


class TestWhoMayAsk:
    """AUTH-5."""

    def test_is_said_of_each_operation(self):
        named = {name for name in vars(methods) if name.endswith("_method") and not name.startswith("_")}
        assert named == set(ASKED) | NOT_ASKED

    @pytest.mark.parametrize("role", list(Role))
    @pytest.mark.parametrize("name", ASKED)
    def test_the_primary_and_billing_contacts_may(self, full, name, role):
        actor = made.contact_of(full.account, role)

        if role in MAY:
            ASKED[name](full, actor)
            audited, decided = entries(full)
            assert decided.get().clauses == ["AUTH-5"]
            assert (audited.get().who, audited.get().channel) == (actor.name, "PORTAL")
            assert audited.get().why == "Asked for under AUTH-5."
        else:
            self.refuses(full, name, actor)

    def refuses(self, full, name, actor):
        before = list(PaymentMethod.objects.order_by("pk").values())
        with pytest.raises(Refused, match="AUTH-"):
            ASKED[name](full, actor)
        assert list(PaymentMethod.objects.order_by("pk").values()) == before
        audited, decided = entries(full)
        assert [decision.allowed for decision in decided] == [False]
        assert not audited.exists()

    @pytest.mark.parametrize("name", ASKED)
    def test_a_contact_of_another_account_may_not(self, full, name):
        self.refuses(full, name, made.contact_of(made.customer(), Role.PRIMARY, Role.BILLING))

    @pytest.mark.parametrize("name", ASKED)
    def test_the_command_line_may_not(self, full, name):
        self.refuses(full, name, command_line())

    @pytest.mark.parametrize("name", ASKED)
    def test_staff_by_themselves_may_not(self, full, name):
        everything = frozenset({"invoicing.take_payment", "accounts.change_account", "invoicing.change_paymentmethod"})
        self.refuses(full, name, Actor(ActorKind.STAFF, "Sam", Channel.CONSOLE, permissions=everything))

    @pytest.mark.parametrize("name", ASKED)
    def test_staff_may_record_what_a_billing_contact_asked_for_by_phone(self, full, name):
        asker = made.contact_of(full.account, Role.BILLING, channel=Channel.PHONE, recorded_by="Sam")

        ASKED[name](full, asker)

        entry = entries(full)[0].get()
        assert (entry.who, entry.channel) == (f"{asker.name} (recorded by Sam)", "PHONE")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_of_methods_that_are_added_at_once_one_becomes_the_default(self, book):
        sessions = [started(book) for _ in range(4)]
        for session in sessions:
            book.gateway.complete_page(session)

        found = at_once(
            [
                lambda session=session: finish_adding_method(book.account, session, actor=book.asker, now=NOW)
                for session in sessions * 2
            ]
        )

        assert failures(found) == []
        assert PaymentMethod.objects.count() == 4
        assert PaymentMethod.objects.filter(is_default=True).count() == 1
        assert AuditEntry.objects.filter(action="payment_method.add").count() == 4

    def test_of_two_that_are_chosen_at_once_one_is_the_default(self, book):
        chosen = [added(book) for _ in range(4)]

        found = at_once([lambda one=one: set_default_method(one, actor=book.asker, now=NOW) for one in chosen * 2])

        assert failures(found) == []
        assert PaymentMethod.objects.filter(is_default=True).count() == 1
