"""Changes to an account and its contacts: who asks, what is kept, what is refused."""

import inspect
from threading import Barrier, Thread

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts import decisions, operations
from accounts.actors import Actor, ActorKind, Channel, Role, command_line
from accounts.authority import WHOM_TO_ASK, Action
from accounts.decisions import Refused
from accounts.models import Account, AuditEntry, Contact, ContactRole, Decision
from accounts.operations import (
    add_contact,
    change_account,
    change_billing_information,
    change_contact,
    remove_contact,
    set_roles,
    transfer_primary,
    whom_to_ask,
)
from accounts.queries import actor_for_contact, actor_for_sender, roles_in
from accounts.refusals import BadValue
from tests.accounts.factories import NOW, account_with_contacts, make_account, make_contact

# One call of every operation that changes something: the clause, the audit action, and the arguments of its own.
CHANGES = {
    "change_account": ("AUTH-2", "account.change", lambda people: {"changes": {"city": "Albany"}}),
    "change_billing_information": ("AUTH-5", "account.billing", lambda people: {"purchase_order": "PO 7"}),
    "add_contact": ("AUTH-2", "contact.add", lambda people: {"name": "New", "email": "new@customer.example"}),
    "change_contact": (
        "AUTH-2",
        "contact.change",
        lambda people: {"contact": people["BILLING"], "changes": {"name": "Bill"}},
    ),
    "remove_contact": ("AUTH-1", "contact.remove", lambda people: {"contact": people["BILLING"]}),
    "set_roles": ("AUTH-1", "contact.roles", lambda people: {"contact": people["NONE"], "roles": [Role.BILLING]}),
    "transfer_primary": ("AUTH-1", "contact.primary", lambda people: {"to": people["BILLING"]}),
}
CHANGES_NOTHING = {"whom_to_ask"}


def everything() -> list:
    """All that the operations may change, row by row."""
    return [list(model.objects.order_by("pk").values()) for model in (Account, Contact, ContactRole)]


class TestEveryOperation:
    """P11: every change has who, when, channel and why."""

    def test_is_listed_here(self):
        public = {
            name
            for name, function in inspect.getmembers(operations, inspect.isfunction)
            if function.__module__ == operations.__name__ and not name.startswith("_")
        }
        assert public == set(CHANGES) | CHANGES_NOTHING

    @pytest.mark.parametrize("name", CHANGES)
    def test_leaves_an_audit_entry_that_names_its_decision(self, account, people, name):
        clause, audited, arguments = CHANGES[name]
        caller = actor_for_contact(people["PRIMARY"], Channel.PHONE, recorded_by="sam")

        getattr(operations, name)(account=account, actor=caller, now=NOW, **arguments(people))

        entry, decision = AuditEntry.objects.get(), Decision.objects.get()
        assert (entry.account, entry.action, entry.at) == (account, audited, NOW)
        assert entry.who == f"{people['PRIMARY']} (recorded by sam)"
        assert entry.channel == "PHONE"
        assert entry.why == f"Asked for under {clause}."
        assert entry.detail["decision"] == decision.pk
        assert entry.detail["before"] != entry.detail["after"]
        assert decision.allowed
        assert decision.clauses == [clause]

    @pytest.mark.parametrize("name", CHANGES)
    def test_keeps_the_reason_it_was_given(self, account, people, primary, name):
        getattr(operations, name)(account=account, actor=primary, now=NOW, why="We moved.", **CHANGES[name][2](people))

        assert AuditEntry.objects.get().why == "We moved."

    @pytest.mark.parametrize("name", CHANGES)
    def test_changes_nothing_but_the_record_when_refused(self, account, people, name):
        technical = actor_for_contact(people["TECHNICAL"], Channel.PORTAL)
        before = everything()

        with pytest.raises(Refused) as caught:
            getattr(operations, name)(account=account, actor=technical, now=NOW, **CHANGES[name][2](people))

        assert everything() == before
        assert not AuditEntry.objects.exists()
        assert Decision.objects.get() == caught.value.decision
        assert caught.value.decision.clauses == [CHANGES[name][0]]

    @pytest.mark.parametrize("name", CHANGES)
    def test_refuses_and_records_the_primary_contact_of_another_account(self, account, people, name):
        stranger = actor_for_contact(make_contact(make_account(), "Stranger", Role.PRIMARY), Channel.PORTAL)
        before = everything()

        with pytest.raises(Refused):
            getattr(operations, name)(account=account, actor=stranger, now=NOW, **CHANGES[name][2](people))

        assert everything() == before
        assert Decision.objects.get(account=account, contact_id_asked=stranger.contact_id).allowed is False

    @pytest.mark.parametrize("name", CHANGES)
    @pytest.mark.parametrize(
        "by", [command_line(), Actor(ActorKind.STAFF, "sam", Channel.CONSOLE)], ids=["SYSTEM", "STAFF"]
    )
    def test_is_nothing_that_we_do_by_ourselves(self, account, people, name, by):
        with pytest.raises(Refused):
            getattr(operations, name)(account=account, actor=by, now=NOW, **CHANGES[name][2](people))

    @pytest.mark.parametrize("name", ["change_account", "change_billing_information", "change_contact", "set_roles"])
    def test_done_twice_leaves_one_entry(self, account, people, primary, name):
        for _ in range(2):
            getattr(operations, name)(account=account, actor=primary, now=NOW, **CHANGES[name][2](people))

        assert AuditEntry.objects.count() == 1


class TestChangeAccount:
    """AUTH-2."""

    def test_keeps_the_values_before_and_after(self, account, primary):
        changes = {"name": "  New   Name ", "state": "co", "phone": "+1 303 555 0100"}

        change_account(account=account, actor=primary, now=NOW, changes=changes)

        account.refresh_from_db()
        assert (account.name, account.state, account.phone) == ("New Name", "CO", "+1 303 555 0100")
        detail = AuditEntry.objects.get().detail
        assert detail["before"] == {"name": f"Customer {account.number}", "state": "NY", "phone": ""}
        assert detail["after"] == {"name": "New Name", "state": "CO", "phone": "+1 303 555 0100"}

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            pytest.param({"name": "  "}, "name", id="no name"),
            pytest.param({"name": "N" * 201}, "name", id="too long"),
            pytest.param({"city": "Al\x00bany"}, "city", id="does not print"),
            pytest.param({"country": "USA"}, "country", id="not a country code"),
            pytest.param({"country": "ß1"}, "country", id="not letters"),
            pytest.param({"state": "Colorado"}, "state", id="state in full"),
            pytest.param({"number": "A-1"}, "number", id="account number"),
            pytest.param({"parent_id": "1"}, "parent_id", id="not an address"),
        ],
    )
    def test_refuses_a_bad_value_with_a_sentence(self, account, primary, changes, field):
        before = everything()

        with pytest.raises(BadValue) as caught:
            change_account(account=account, actor=primary, now=NOW, changes={"phone": "1"} | changes)

        assert caught.value.field == field
        assert caught.value.sentence.endswith(".")
        assert everything() == before
        assert not AuditEntry.objects.exists()

    def test_lets_a_province_abroad_be_written_out(self, account, primary):
        change_account(account=account, actor=primary, now=NOW, changes={"country": "ca", "state": "Ontario"})

        account.refresh_from_db()
        assert (account.country, account.state) == ("CA", "Ontario")


class TestChangeBillingInformation:
    """AUTH-5."""

    @pytest.mark.parametrize("role", ["PRIMARY", "BILLING", "PRIMARY_BILLING"])
    def test_is_for_the_primary_and_billing_contacts(self, account, people, role):
        change_billing_information(
            account=account,
            actor=actor_for_contact(people[role], Channel.API),
            now=NOW,
            invoice_emails=["Pay@a.example", " pay@A.example ", "", "books@a.example"],
            purchase_order=" PO  7 ",
        )

        account.refresh_from_db()
        assert account.invoice_emails == ["Pay@a.example", "books@a.example"]
        assert account.purchase_order == "PO 7"

    def test_leaves_what_is_not_given(self, account, primary):
        change_billing_information(account=account, actor=primary, now=NOW, invoice_emails=["pay@a.example"])
        change_billing_information(account=account, actor=primary, now=NOW, purchase_order="PO 7")

        account.refresh_from_db()
        assert (account.invoice_emails, account.purchase_order) == (["pay@a.example"], "PO 7")

    @pytest.mark.parametrize("address", ["nobody", "a@b, c@d.example", "Ann <a@b.example>", "a@b", "a\nb@c.example"])
    def test_refuses_what_is_no_address(self, account, primary, address):
        with pytest.raises(BadValue) as caught:
            change_billing_information(account=account, actor=primary, now=NOW, invoice_emails=["a@b.example", address])

        assert caught.value.field == "invoice_emails"
        assert "is not an e-mail address." in caught.value.sentence


class TestAddContact:
    """AUTH-1: any number of Billing Contacts, each added with the Primary's authorization."""

    def test_adds_billing_contacts_one_after_the_other(self, account, primary):
        for name in ("ann", "bea"):
            add_contact(
                account=account, actor=primary, now=NOW, name=name, email=f"{name}@c.example", roles=["BILLING"]
            )

        assert ContactRole.objects.filter(account=account, role="BILLING").count() == 3
        assert set(Decision.objects.values_list("action", flat=True)) == {"ADD_BILLING_CONTACT"}

    @pytest.mark.parametrize("role", ["PRIMARY", "PRIMARY_BILLING"])
    def test_refuses_a_second_holder_of_a_role_held_once(self, account, primary, role):
        before = everything()

        with pytest.raises(Refused) as caught:
            add_contact(account=account, actor=primary, now=NOW, name="Ann", email="ann@c.example", roles=[role])

        assert everything() == before
        assert [refusal.clause for refusal in caught.value.refusals] == ["AUTH-1"]
        assert caught.value.refusals[0].way_out
        assert not Decision.objects.latest("pk").allowed

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            pytest.param({"name": ""}, "name", id="no name"),
            pytest.param({"email": ""}, "email", id="no address"),
            pytest.param({"email": "ann"}, "email", id="not an address"),
            pytest.param({"email": "BILLING@{number}.EXAMPLE"}, "email", id="another contact's address"),
            pytest.param({"roles": ["OWNER"]}, "roles", id="no such role"),
        ],
    )
    def test_refuses_a_bad_value_with_a_sentence(self, account, primary, values, field):
        given = {"name": "Ann", "email": "ann@c.example"} | values
        given["email"] = given["email"].format(number=account.number)

        with pytest.raises(BadValue) as caught:
            add_contact(account=account, actor=primary, now=NOW, **given)

        assert caught.value.field == field
        assert caught.value.sentence.endswith(".")
        assert Contact.objects.filter(account=account).count() == 6


class TestChangeContact:
    """AUTH-2."""

    def test_takes_another_contacts_address_for_a_bad_value(self, account, people, primary):
        changes = {"email": people["BILLING"].email.upper()}

        with pytest.raises(BadValue, match=r"This account has a contact with that e-mail address\."):
            change_contact(account=account, contact=people["NONE"], actor=primary, now=NOW, changes=changes)

    @pytest.mark.parametrize("name", ["change_contact", "remove_contact", "set_roles", "transfer_primary"])
    def test_touches_no_contact_of_another_account(self, account, people, primary, name):
        stranger = make_contact(make_account(), "Stranger", Role.BILLING)
        before = everything()

        arguments = CHANGES[name][2](people | {"BILLING": stranger, "NONE": stranger})
        with pytest.raises(BadValue, match=r"This account has no such contact\."):
            getattr(operations, name)(account=account, actor=primary, now=NOW, **arguments)

        assert everything() == before


class TestRemoveContact:
    """AUTH-1, AUTH-2."""

    def test_keeps_in_the_audit_who_it_was(self, account, people, primary):
        remove_contact(account=account, contact=people["BILLING"], actor=primary, now=NOW)

        assert not Contact.objects.filter(pk=people["BILLING"].pk).exists()
        before = AuditEntry.objects.get().detail["before"]
        assert before == {"name": "Billing", "email": people["BILLING"].email, "phone": "", "roles": ["BILLING"]}

    def test_refuses_the_primary_contact_and_says_what_to_do_first(self, account, people, primary):
        with pytest.raises(Refused) as caught:
            remove_contact(account=account, contact=people["PRIMARY"], actor=primary, now=NOW)

        (refusal,) = caught.value.refusals
        assert (refusal.clause, refusal.way_out) == ("AUTH-1", "Make somebody else the Primary Contact first.")
        assert Contact.objects.filter(pk=people["PRIMARY"].pk).exists()

    def test_cannot_be_done_twice(self, account, people, primary):
        remove_contact(account=account, contact=people["BILLING"], actor=primary, now=NOW)
        gone = Contact(pk=people["BILLING"].pk, account=account)

        with pytest.raises(BadValue, match=r"This account has no such contact\."):
            remove_contact(account=account, contact=gone, actor=primary, now=NOW)


class TestSetRoles:
    """AUTH-1, AUTH-2."""

    @pytest.mark.parametrize(
        ("who", "roles", "action"),
        [
            ("NONE", ["TECHNICAL"], "CHANGE_CONTACTS"),
            ("NONE", ["BILLING", "TECHNICAL"], "ADD_BILLING_CONTACT"),
            ("BILLING", [], "REMOVE_BILLING_CONTACT"),
            ("PRIMARY_BILLING", [], "SET_PRIMARY_BILLING"),
            ("PRIMARY", ["PRIMARY", "ADMINISTRATOR"], "CHANGE_CONTACTS"),
        ],
    )
    def test_leaves_exactly_these_under_the_clause_they_fall_under(self, account, people, primary, who, roles, action):
        set_roles(account=account, contact=people[who], actor=primary, now=NOW, roles=roles)

        assert roles_in(account, people[who].pk) == set(roles)
        assert Decision.objects.get().action == action

    @pytest.mark.parametrize(
        ("who", "roles"),
        [
            pytest.param("BILLING", ["PRIMARY"], id="second primary"),
            pytest.param("PRIMARY", ["BILLING"], id="no primary"),
            pytest.param("BILLING", ["BILLING", "PRIMARY_BILLING"], id="second primary billing"),
        ],
    )
    def test_keeps_one_primary_and_at_most_one_primary_billing_contact(self, account, people, primary, who, roles):
        before = everything()

        with pytest.raises(Refused) as caught:
            set_roles(account=account, contact=people[who], actor=primary, now=NOW, roles=roles)

        assert [refusal.clause for refusal in caught.value.refusals] == ["AUTH-1"]
        assert everything() == before

    def test_passes_primary_billing_on_in_two_steps(self, account, people, primary):
        set_roles(account=account, contact=people["PRIMARY_BILLING"], actor=primary, now=NOW, roles=["BILLING"])
        set_roles(account=account, contact=people["BILLING"], actor=primary, now=NOW, roles=["PRIMARY_BILLING"])

        assert roles_in(account, people["BILLING"].pk) == {Role.PRIMARY_BILLING}


class TestTransferPrimary:
    """AUTH-1: exactly one Primary Contact."""

    def test_passes_the_role_on_and_leaves_all_others(self, account, people, primary):
        ContactRole.objects.create(account=account, contact=people["PRIMARY"], role=Role.TECHNICAL)

        transfer_primary(account=account, to=people["BILLING"], actor=primary, now=NOW)

        assert roles_in(account, people["PRIMARY"].pk) == {Role.TECHNICAL}
        assert roles_in(account, people["BILLING"].pk) == {Role.PRIMARY, Role.BILLING}

    def test_is_refused_to_the_one_who_has_passed_it_on(self, account, people, primary):
        transfer_primary(account=account, to=people["BILLING"], actor=primary, now=NOW)

        with pytest.raises(Refused):
            transfer_primary(account=account, to=people["NONE"], actor=primary, now=NOW)

        assert roles_in(account, people["NONE"].pk) == frozenset()

    def test_to_oneself_changes_nothing(self, account, people, primary):
        transfer_primary(account=account, to=people["PRIMARY"], actor=primary, now=NOW)

        assert not AuditEntry.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_asked_twice_at_once_is_done_once(self, monkeypatch):
        assert self.transfers_at_once(monkeypatch) == ["done", "refused"]
        assert list(Decision.objects.order_by("pk").values_list("allowed", flat=True)) == [True, True, False]
        assert AuditEntry.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_asked_twice_at_once_would_be_done_twice_without_asking_again_under_the_lock(self, monkeypatch):
        monkeypatch.setattr(decisions, "refusals", lambda actor, action: ())

        assert self.transfers_at_once(monkeypatch) == ["done", "done"]

    @staticmethod
    def transfers_at_once(monkeypatch) -> list[str]:
        """The Primary passes the role to two others, both allowed before either is done; what became of them."""
        account, people = account_with_contacts()
        primary = actor_for_contact(people["PRIMARY"], Channel.PORTAL)
        both_decided = Barrier(2, timeout=20)
        outcomes = []

        def decide_and_wait(*args, **kwargs):
            decision = decide(*args, **kwargs)
            both_decided.wait()
            return decision

        def transfer(to: Contact) -> None:
            try:
                transfer_primary(account=account, to=to, actor=primary, now=NOW)
                outcomes.append("done")
            except Refused:
                outcomes.append("refused")
            finally:
                connection.close()

        decide = decisions.decide
        monkeypatch.setattr(decisions, "decide", decide_and_wait)
        threads = [Thread(target=transfer, args=(people[name],)) for name in ("BILLING", "TECHNICAL")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert ContactRole.objects.filter(account=account, role=Role.PRIMARY).count() == 1
        return sorted(outcomes)


class TestWhomToAsk:
    """AUTH-10."""

    def test_gives_everybody_the_same_sentence_and_shows_no_address(self, account, people):
        unknown = actor_for_sender(account, "eve@else.example", Channel.EMAIL)

        for asker in (unknown, actor_for_contact(people["PRIMARY"], Channel.PORTAL), command_line()):
            answer = whom_to_ask(account=account, actor=asker, now=NOW)
            assert answer.sentence == WHOM_TO_ASK
            assert answer.address == people["PRIMARY"].email
            assert people["PRIMARY"].email not in repr(answer)
        assert Decision.objects.filter(action="ASK_WHOM_TO_TURN_TO", allowed=True, clauses=["AUTH-10"]).count() == 3

    def test_does_not_tell_whether_there_is_such_an_account(self, db):
        answer = whom_to_ask(account=None, actor=Actor(ActorKind.UNKNOWN, "eve", Channel.EMAIL), now=NOW)

        assert (answer.sentence, answer.address) == (WHOM_TO_ASK, "")

    def test_is_refused_when_asked_for_somebody_else(self, account):
        asker = actor_for_sender(account, "eve@else.example", Channel.EMAIL, on_behalf_of="Ann Lee")

        with pytest.raises(Refused, match=r"^AUTH-3"):
            whom_to_ask(account=account, actor=asker, now=NOW)

        assert Decision.objects.get().action == Action.ASK_WHOM_TO_TURN_TO


class TestTheDatabase:
    """The promise is kept where the rows are, whoever writes them."""

    @pytest.mark.parametrize("role", ["PRIMARY", "PRIMARY_BILLING"])
    def test_refuses_a_second_holder_of_a_role_held_once(self, account, people, role):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO accounts_contactrole (account_id, contact_id, role) VALUES (%s, %s, %s)",
                [account.pk, people["NONE"].pk, role],
            )

    @pytest.mark.parametrize(("kind", "has_partner"), [("CLIENT", False), ("CUSTOMER", True), ("PARTNER", True)])
    def test_refuses_a_client_without_a_partner_and_a_partner_of_anybody_else(self, account, kind, has_partner):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_account(kind=kind, parent=account if has_partner else None)

    def test_refuses_two_contacts_at_one_address_of_an_account(self, account, people):
        with pytest.raises(IntegrityError), transaction.atomic():
            Contact.objects.create(account=account, name="Ann", email=people["BILLING"].email.upper())

    @pytest.mark.parametrize("table", ["accounts_decision", "accounts_auditentry"])
    @pytest.mark.parametrize("statement", ["UPDATE {} SET who = 'somebody else'", "DELETE FROM {}"])
    def test_refuses_to_change_what_is_on_record(self, account, primary, table, statement):
        change_account(account=account, actor=primary, now=NOW, changes={"city": "Albany"})

        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement.format(table))
