from datetime import date

import pytest

from accounts.actors import Channel, Role
from accounts.models import AuditEntry, Contact, ContactRole, Decision
from tests.accounts.factories import make_contact
from tests.billingsite.console.seed import waiting_charge
from tests.invoicing import factories as make


@pytest.fixture
def account(db):
    account = make.customer(name="Harbor Dental Group")
    make_contact(account, "Ann Primary", Role.PRIMARY)
    make_contact(account, "Tom Technical", Role.TECHNICAL)
    return account


def contact(account, name) -> Contact:
    return account.contacts.get(name=name)


def send(client, account, kind, asked_by, *, about=None, **values):
    given = {"asked_by": asked_by.pk if isinstance(asked_by, Contact) else asked_by, "channel": Channel.PHONE.value}
    query = f"?contact={about.pk}" if about else ""
    return client.post(f"/admin/accounts/account/{account.pk}/request/{kind}/{query}", given | values)


ADDRESS = {"name": "Harbor Dental Group", "city": "Albany", "state": "NY", "country": "US"}


class TestRecordRequest:
    def test_changes_what_the_primary_contact_asked_for(self, agent, account):
        response = send(agent, account, "account-data", contact(account, "Ann Primary"), **ADDRESS)
        account.refresh_from_db()
        assert (response.status_code, account.city) == (302, "Albany")

    def test_leaves_who_asked_and_who_recorded_it(self, agent, account):
        send(agent, account, "account-data", contact(account, "Ann Primary"), **ADDRESS)
        entry = AuditEntry.objects.get()
        assert entry.who.startswith("Ann Primary")
        assert entry.who.endswith("(recorded by agent)")
        assert Decision.objects.get().recorded_by == "agent"

    def test_shows_a_refusal_with_its_clause_its_sentence_and_the_way_out(self, agent, account):
        response = send(agent, account, "account-data", contact(account, "Tom Technical"), **ADDRESS)
        page = response.content.decode()
        assert "<strong>AUTH-2:</strong> Only the Primary Contact may change" in page
        assert "What would make it allowed: Let the Primary Contact ask" in page
        assert not AuditEntry.objects.exists()
        assert not Decision.objects.get().allowed

    def test_refuses_a_request_in_the_name_of_somebody_else(self, agent, account):
        ann = contact(account, "Ann Primary")
        response = send(agent, account, "account-data", ann, on_behalf_of="The new owner", **ADDRESS)
        assert b"AUTH-3" in response.content

    def test_refuses_a_stranger(self, agent, account):
        response = send(agent, account, "account-data", "other", sender="eve@evil.example", **ADDRESS)
        assert "not known to us as a contact" in response.content.decode()

    def test_says_which_value_cannot_be_stored(self, agent, account):
        ann = contact(account, "Ann Primary")
        response = send(agent, account, "billing-information", ann, invoice_emails="nowhere")
        assert "“nowhere” is not an e-mail address." in response.content.decode()

    def test_adds_a_contact_with_its_roles(self, agent, account):
        values = {"name": "Bea Billing", "email": "bea@harbor.example", "roles": ["BILLING"]}
        send(agent, account, "new-contact", contact(account, "Ann Primary"), **values)
        assert ContactRole.objects.get(contact__name="Bea Billing").role == "BILLING"

    def test_passes_the_primary_role_on(self, agent, account):
        tom = contact(account, "Tom Technical")
        send(agent, account, "primary", contact(account, "Ann Primary"), about=tom)
        assert ContactRole.objects.get(account=account, role="PRIMARY").contact == tom

    def test_does_not_remove_the_primary_contact(self, agent, account):
        ann = contact(account, "Ann Primary")
        response = send(agent, account, "remove-contact", ann, about=ann)
        assert b"AUTH-1" in response.content
        assert account.contacts.filter(pk=ann.pk).exists()

    def test_gives_only_those_roles(self, agent, account):
        tom = contact(account, "Tom Technical")
        send(agent, account, "roles", contact(account, "Ann Primary"), about=tom, roles=["ADMINISTRATOR"])
        assert [role.role for role in tom.roles.all()] == ["ADMINISTRATOR"]

    def test_knows_no_contact_of_another_account(self, agent, account):
        stranger = make_contact(make.customer(), "Pat Primary", Role.PRIMARY)
        response = send(agent, account, "remove-contact", contact(account, "Ann Primary"), about=stranger)
        assert response.status_code == 404

    def test_takes_no_contact_of_another_account_as_the_one_who_asks(self, agent, account):
        stranger = make_contact(make.customer(), "Pat Primary", Role.PRIMARY)
        response = send(agent, account, "account-data", stranger, **ADDRESS)
        assert b"Select a valid choice" in response.content

    def test_moves_the_billing_day_and_says_what_the_days_between_cost(self, agent, db):
        company = make.per_seat_company(15)
        ann = make_contact(company, "Ann Primary", Role.PRIMARY)
        make.subscription(company, make.plan("seat"), date(2026, 8, 15))
        response = send(agent, company, "billing-day", ann, day="20", why="asked by phone")
        assert response.status_code == 302
        assert company.billing_day_changes.get().day == 20

    def test_authorizes_a_charge_that_waits(self, agent, account):
        charge = waiting_charge(account)
        send(agent, account, "authorize-charge", contact(account, "Ann Primary"), charge=charge.pk)
        charge.refresh_from_db()
        assert charge.authorized_by.startswith("Ann Primary")

    def test_lets_no_technical_contact_authorize_a_charge(self, agent, account):
        charge = waiting_charge(account)
        response = send(agent, account, "authorize-charge", contact(account, "Tom Technical"), charge=charge.pk)
        assert b"AUTH-6" in response.content

    def test_is_unknown_under_another_name(self, agent, account):
        assert send(agent, account, "delete-everything", contact(account, "Ann Primary")).status_code == 404


class TestAccountPage:
    def test_says_when_nobody_can_speak_for_the_account(self, agent, db):
        page = agent.get(f"/admin/accounts/account/{make.customer().pk}/change/").content.decode()
        assert "this account has no Primary Contact" in page

    def test_offers_an_auditor_no_request(self, auditor, account):
        page = auditor.get(f"/admin/accounts/account/{account.pk}/change/").content.decode()
        assert "Record a request" not in page

    def test_shows_a_refusal_in_the_timeline(self, agent, account):
        send(agent, account, "account-data", contact(account, "Tom Technical"), **ADDRESS)
        page = agent.get(f"/admin/accounts/account/{account.pk}/change/?tab=timeline").content.decode()
        assert "Refused: change account" in page

    @pytest.mark.parametrize("asked", ["?tab=nothing", "?tab=timeline&page=x", "?tab=timeline&page=99999"])
    def test_takes_any_query(self, agent, account, asked):
        assert agent.get(f"/admin/accounts/account/{account.pk}/change/{asked}").status_code == 200

    def test_is_not_there_for_an_unknown_account(self, agent):
        assert agent.get("/admin/accounts/account/999/change/").status_code == 404
