"""Each decision, allowed or refused, is recorded, and what rolls back does not take it along."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import transaction

from accounts.actors import ActorKind, Channel, Role, command_line
from accounts.authority import Action
from accounts.decisions import Refused, StandsInTheWay, asking, decide, refusals_of
from accounts.models import AuditEntry, ContactRole, Decision
from accounts.queries import actor_for_contact, actor_for_sender, actor_for_user
from accounts.refusals import Refusal
from tests.accounts.factories import NOW, account_with_contacts, make_account, make_contact


class TestDecide:
    def test_records_what_was_allowed(self, account, people):
        caller = actor_for_contact(people["BILLING"], Channel.PHONE, recorded_by="sam")

        decide(Action.OPEN_DISPUTE, account, actor=caller, now=NOW)

        decision = Decision.objects.get()
        assert decision.allowed
        assert decision.account == account
        assert decision.action == "OPEN_DISPUTE"
        assert decision.clauses == ["AUTH-8"]
        assert decision.refusals == []
        assert decision.who == f"Billing <{people['BILLING'].email}>"
        assert (decision.actor_kind, decision.contact_id_asked) == ("CONTACT", people["BILLING"].pk)
        assert (decision.channel, decision.recorded_by, decision.at) == ("PHONE", "sam", NOW)

    def test_records_what_was_refused_with_every_clause_and_way_out(self, account, people):
        caller = actor_for_contact(people["TECHNICAL"], Channel.PORTAL, on_behalf_of="Primary")

        decide(Action.VIEW_BILLING, account, actor=caller, now=NOW)

        decision = Decision.objects.get()
        assert not decision.allowed
        assert decision.clauses == ["AUTH-3", "AUTH-4"]
        assert [sorted(refusal) for refusal in decision.refusals] == [["clause", "sentence", "way_out"]] * 2
        assert refusals_of(decision)[1] == Refusal(
            "AUTH-4",
            "Only the Primary Contact or a Billing Contact may see billing information.",
            "Let the Primary Contact or a Billing Contact ask in the portal, through its API, by e-mail or by phone.",
        )

    @pytest.mark.parametrize("role", Role)
    def test_refuses_a_contact_of_another_account_whatever_their_role(self, account, role):
        stranger = make_contact(make_account(), "Stranger", role)

        for action in set(Action) - {Action.ASK_WHOM_TO_TURN_TO}:
            assert not decide(action, account, actor=actor_for_contact(stranger, Channel.PORTAL), now=NOW).allowed
        assert Decision.objects.filter(account=account, allowed=False, contact_id_asked=stranger.pk).count() == 16

    def test_goes_by_the_roles_of_now_and_not_of_sign_in(self, account, people, primary):
        ContactRole.objects.filter(contact=people["PRIMARY"]).delete()

        assert not decide(Action.CHANGE_ACCOUNT, account, actor=primary, now=NOW).allowed

    def test_records_a_question_about_no_account_of_ours(self, db):
        decide(Action.ASK_WHOM_TO_TURN_TO, None, actor=command_line(), now=NOW)

        assert Decision.objects.get().account is None

    def test_keeps_a_name_that_is_too_long_as_far_as_it_fits(self, account):
        sender = actor_for_sender(account, "x" * 300 + "@long.example", Channel.EMAIL)

        assert decide(Action.OPEN_DISPUTE, account, actor=sender, now=NOW).who == "x" * 200

    def test_does_not_run_inside_a_transaction_that_could_roll_back(self, account, primary):
        with pytest.raises(RuntimeError), transaction.atomic():
            decide(Action.CHANGE_ACCOUNT, account, actor=primary, now=NOW)


class TestAsking:
    def test_keeps_the_decision_when_the_change_fails(self, account, primary):
        def change_and_fail() -> None:
            with asking(Action.CHANGE_ACCOUNT, account, actor=primary, now=NOW) as asked:
                asked.audit("account.change", subject="account", before={}, after={})
                raise KeyError("a fault after the change")

        with pytest.raises(KeyError):
            change_and_fail()

        assert Decision.objects.get().allowed
        assert not AuditEntry.objects.exists()

    def test_records_what_stood_in_the_way_of_a_request_that_was_allowed(self, account, primary):
        hindrance = Refusal("TERM-1", "The account has ended.", "Open a new one.")

        with pytest.raises(Refused) as caught, asking(Action.CHANGE_ACCOUNT, account, actor=primary, now=NOW):
            raise StandsInTheWay(hindrance)

        assert caught.value.refusals == (hindrance,)
        assert str(caught.value) == "TERM-1: The account has ended. Open a new one."
        allowed, refused = Decision.objects.order_by("pk")
        assert (allowed.allowed, refused.allowed) == (True, False)
        assert caught.value.decision == refused
        assert refusals_of(refused) == (hindrance,)

    @pytest.mark.django_db(transaction=True)
    def test_commits_a_refusal_although_the_operation_rolls_back(self):
        account, people = account_with_contacts()
        technical = actor_for_contact(people["TECHNICAL"], Channel.API)

        with pytest.raises(Refused), asking(Action.CHANGE_ACCOUNT, account, actor=technical, now=NOW):
            pytest.fail("the change was reached")

        assert Decision.objects.get().clauses == ["AUTH-2"]


class TestActorForSender:
    """AUTH-4: an address that receives invoices is only a delivery address."""

    def test_finds_a_contact_by_address_in_any_case(self, account, people):
        sender = actor_for_sender(account, people["BILLING"].email.upper(), Channel.EMAIL)

        assert (sender.kind, sender.contact_id, sender.roles) == (
            ActorKind.CONTACT,
            people["BILLING"].pk,
            {Role.BILLING},
        )

    def test_knows_nobody_at_a_delivery_address(self, account):
        account.invoice_emails = ["payables@customer.example"]
        account.save()

        sender = actor_for_sender(account, "payables@customer.example", Channel.EMAIL)

        assert sender.kind == ActorKind.UNKNOWN
        assert not decide(Action.VIEW_BILLING, account, actor=sender, now=NOW).allowed

    def test_knows_nobody_at_the_address_of_another_accounts_contact(self, account):
        stranger = make_contact(make_account(), "Stranger", Role.PRIMARY)

        assert actor_for_sender(account, stranger.email, Channel.EMAIL).kind == ActorKind.UNKNOWN

    @pytest.mark.parametrize("address", ["", "%", "a\x00b@c.example", "Primary <{email}>", "{email}, x@y.example"])
    def test_takes_nothing_but_the_bare_address(self, account, people, address):
        sender = actor_for_sender(account, address.format(email=people["PRIMARY"].email), Channel.EMAIL)

        assert sender.kind == ActorKind.UNKNOWN
        assert not decide(Action.OPEN_DISPUTE, account, actor=sender, now=NOW).allowed


@pytest.mark.django_db
class TestActorForUser:
    def test_brings_the_permissions_of_a_member_of_staff(self, django_user_model):
        group = Group.objects.create(name="Viewers")
        group.permissions.add(Permission.objects.get(codename="view_account", content_type__app_label="accounts"))
        user = django_user_model.objects.create_user("sam", first_name="Sam", last_name="Poe", is_staff=True)
        user.groups.add(group)

        staff = actor_for_user(user)

        assert (staff.kind, staff.name, staff.channel) == (ActorKind.STAFF, "Sam Poe (sam)", Channel.CONSOLE)
        assert staff.permissions == {"accounts.view_account"}
        assert decide(Action.VIEW_BILLING, make_account(), actor=staff, now=NOW).allowed

    @pytest.mark.parametrize("flags", [{"is_staff": False}, {"is_staff": True, "is_active": False}])
    def test_gives_nothing_to_any_other_sign_in(self, django_user_model, flags):
        user = django_user_model.objects.create_user("eve", is_superuser=True, **flags)

        assert actor_for_user(user).kind == ActorKind.UNKNOWN
        assert not decide(Action.VIEW_BILLING, make_account(), actor=actor_for_user(user), now=NOW).allowed
