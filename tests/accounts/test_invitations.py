"""Invitations: a link that makes a sign-in once, for the address that it was sent to and for nobody else's."""

import re
from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from accounts.actors import Actor, ActorKind, Channel, NotPermitted, Role
from accounts.invitations import InvitationRefused, LinkIsNoGood, accept_invitation, invitation_of, invite_contact
from accounts.models import AuditEntry, Invitation
from tests.accounts.factories import NOW, make_account, make_contact

pytestmark = pytest.mark.django_db

MIA = Actor(ActorKind.STAFF, "Mia", Channel.CONSOLE, permissions=frozenset({"accounts.invite_contact"}))
NORA = Actor(ActorKind.STAFF, "Nora", Channel.CONSOLE)
PASSWORD = "correct horse battery"


@pytest.fixture
def pat():
    return make_contact(make_account(), "Pat Primary", Role.PRIMARY)


def invited(contact, now=NOW) -> str:
    """The secret of the link that was mailed."""
    invite_contact(contact, actor=MIA, now=now)
    (secret,) = re.findall(r"/accounts/invitation/([^/\s]+)/", str(mail.outbox[-1].body))
    return secret


class TestInvite:
    def test_mails_a_link_built_from_the_sites_setting_and_keeps_only_its_digest(self, pat, settings):
        settings.SITE_URL = "https://pay.example"
        token = invited(pat)
        (sent,) = mail.outbox
        assert sent.to == [pat.email]
        assert f"https://pay.example/accounts/invitation/{token}/" in sent.body
        assert f"https://pay.example/accounts/invitation/{token}/" in sent.alternatives[0][0]
        assert token not in str(Invitation.objects.values().get())
        assert token not in str(list(AuditEntry.objects.values()))

    def test_calls_the_account_by_its_name_in_the_subject_and_by_no_markup_in_the_text(self, pat):
        pat.account.name = 'Smith & "Co" <Ltd>'
        pat.account.save()
        invited(pat)
        (sent,) = mail.outbox
        assert sent.subject == 'Clausebook: Your sign-in for Smith & "Co" <Ltd>'
        assert 'Smith & "Co" <Ltd>' in sent.body
        assert "<Ltd>" not in sent.alternatives[0][0]

    def test_is_on_record(self, pat):
        invited(pat)
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.who, entry.account_id) == ("contact.invite", "Mia", pat.account_id)

    def test_needs_the_permission(self, pat):
        with pytest.raises(NotPermitted):
            invite_contact(pat, actor=NORA, now=NOW)
        assert (mail.outbox, Invitation.objects.count()) == ([], 0)

    def test_a_second_one_takes_the_place_of_the_first(self, pat):
        first, second = invited(pat), invited(pat)
        with pytest.raises(LinkIsNoGood):
            invitation_of(first, now=NOW)
        assert invitation_of(second, now=NOW).contact == pat

    def test_an_address_is_written_to_three_times_a_day_at_most_whatever_accounts_it_is_of(self, pat):
        twin = make_contact(make_account(), "Pat Primary", Role.PRIMARY)
        twin.email = pat.email.upper()
        twin.save()
        for contact in (pat, twin, pat):
            invited(contact)
        with pytest.raises(InvitationRefused, match="3 times within a day"):
            invite_contact(twin, actor=MIA, now=NOW)
        assert invited(pat, now=NOW + timedelta(days=1, seconds=1))

    def test_who_signs_in_already_is_not_invited(self, pat):
        accept_invitation(invited(pat), PASSWORD, now=NOW)
        with pytest.raises(InvitationRefused, match="signs in already"):
            invite_contact(pat, actor=MIA, now=NOW)

    def test_a_mail_that_cannot_be_sent_leaves_no_link_behind(self, pat, monkeypatch):
        def down(self):
            raise SMTPServerDisconnected("no route")

        monkeypatch.setattr("django.core.mail.EmailMessage.send", down)
        with pytest.raises(InvitationRefused, match="could not be sent"):
            invite_contact(pat, actor=MIA, now=NOW)
        assert Invitation.objects.get().ended_at == NOW


class TestAccept:
    def test_makes_the_contacts_sign_in_with_the_address_verified(self, pat):
        user = accept_invitation(invited(pat), PASSWORD, now=NOW)
        address = EmailAddress.objects.get()
        assert (address.user, address.email, address.verified, address.primary) == (user, pat.email, True, True)
        assert user.check_password(PASSWORD)
        assert not user.is_staff
        entry = AuditEntry.objects.latest("pk")
        assert (entry.action, entry.who, entry.channel) == ("contact.sign_in", str(pat), "PORTAL")

    def test_works_once(self, pat):
        token = invited(pat)
        accept_invitation(token, PASSWORD, now=NOW)
        with pytest.raises(LinkIsNoGood):
            accept_invitation(token, "another long password", now=NOW)
        assert User.objects.get().check_password(PASSWORD)

    def test_works_up_to_seven_days(self, pat):
        token = invited(pat)
        invitation_of(token, now=NOW + timedelta(days=7) - timedelta(seconds=1))
        with pytest.raises(LinkIsNoGood):
            accept_invitation(token, PASSWORD, now=NOW + timedelta(days=7))

    def test_is_for_the_address_it_was_sent_to(self, pat):
        token = invited(pat)
        pat.email = "somebody.else@x.example"
        pat.save()
        with pytest.raises(LinkIsNoGood):
            accept_invitation(token, PASSWORD, now=NOW)

    def test_a_contact_that_was_removed_gets_none(self, pat):
        token = invited(pat)
        pat.delete()
        with pytest.raises(LinkIsNoGood):
            accept_invitation(token, PASSWORD, now=NOW)

    def test_takes_over_no_sign_in_that_there_is(self, pat):
        """Neither one with that user name, nor one that has typed the address without showing that it is theirs."""
        staff = User.objects.create_user("pat.primary", pat.email, "the old password", is_staff=True)
        EmailAddress.objects.create(user=staff, email=pat.email, verified=False)
        made = accept_invitation(invited(pat), PASSWORD, now=NOW)
        staff.refresh_from_db()
        assert made != staff
        assert staff.check_password("the old password")
        assert (made.is_staff, made.is_superuser) == (False, False)

    def test_somebody_who_verified_the_address_in_between_keeps_it(self, pat):
        token = invited(pat)
        other = User.objects.create_user("other")
        EmailAddress.objects.create(user=other, email=pat.email.upper(), verified=True)
        with pytest.raises(LinkIsNoGood):
            accept_invitation(token, PASSWORD, now=NOW)
        assert User.objects.get() == other

    @pytest.mark.parametrize("token", ["", "x", "x" * 5000, "ümlaut"])
    def test_a_link_that_is_none_is_none(self, token):
        with pytest.raises(LinkIsNoGood):
            invitation_of(token, now=NOW)


@pytest.mark.usefixtures("now")
class TestPage:
    @pytest.fixture
    def now(self, monkeypatch):
        monkeypatch.setattr("accounts.invitation_pages.timezone.now", lambda: NOW)

    def opened(self, token) -> tuple[Client, object]:
        client = Client()
        return client, client.get(f"/accounts/invitation/{token}/", follow=True)

    def test_sets_a_password_and_then_the_account_is_open_to_it(self, pat):
        client, page = self.opened(invited(pat))
        assert page.redirect_chain == [("/accounts/invitation/here/", 302)]
        assert "no-store" in page.headers["Cache-Control"]
        client.post("/accounts/invitation/here/", {"password1": PASSWORD, "password2": PASSWORD})
        client.post("/accounts/login/", {"login": pat.email, "password": PASSWORD})
        assert client.get("/my/").headers["Location"] == f"/my/{pat.account_id}/"

    def test_looking_uses_nothing_up(self, pat):
        token = invited(pat)
        for _ in range(3):
            assert self.opened(token)[1].status_code == 200
        assert Invitation.objects.get().used_at is None

    @pytest.mark.parametrize("password", ["short", "password1234", "pat.primary"])
    def test_takes_no_password_that_the_policy_refuses(self, pat, password):
        client, _ = self.opened(invited(pat))
        answer = client.post("/accounts/invitation/here/", {"password1": password, "password2": password})
        assert answer.status_code == 200
        assert not User.objects.exists()

    def test_wrong_used_and_expired_are_answered_in_the_same_words(self, pat, monkeypatch):
        used = invited(pat)
        accept_invitation(used, PASSWORD, now=NOW)
        late = invited(make_contact(make_account(), "Late", Role.BILLING), now=NOW - timedelta(days=8))
        answers = [self.opened(token)[1] for token in (used, late, "nonsense")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1

    def test_who_is_signed_in_signs_out_first(self, pat):
        client = Client()
        client.force_login(User.objects.create_user("other"))
        token = invited(pat)
        assert "sign out first" in client.get(f"/accounts/invitation/{token}/", follow=True).text
        client.post("/accounts/invitation/here/", {"password1": PASSWORD, "password2": PASSWORD})
        assert Invitation.objects.get().used_at is None

    def test_guessing_is_slowed_down(self, pat):
        client = Client()
        codes = [client.get(f"/accounts/invitation/{number}/").status_code for number in range(21)]
        assert codes[-2:] == [302, 429]
