"""The platform is told over signed calls: once a key, in order, again after a failure, at no private address."""

import hashlib
import hmac
import json
import socket
from datetime import UTC, datetime, timedelta

import pytest

from accounts.actors import NotPermitted
from accounts.refusals import BadValue
from invoicing.collections import outbound, telling
from invoicing.collections.models import PlatformEndpoint, PlatformNotice
from invoicing.collections.outbound import CallFailed, is_public, post_signed, signature
from invoicing.collections.platform import (
    NoticeDraft,
    NoticeRefused,
    add_endpoint,
    change_endpoint,
    masked,
    record_notices,
    renew_secret,
    retry_notice,
    told_by_hand,
)
from invoicing.collections.telling import tell_platform
from invoicing.states import NotPossibleNow
from tests.chaos.at_once import at_once, failures
from tests.invoicing.collections.factories import MIA, NOBODY, NOW
from tests.invoicing.collections.platform_server import Platform
from tests.invoicing.factories import customer


@pytest.fixture
def platform(settings):
    settings.PLATFORM_MAY_BE_LOCAL = True
    made = Platform()
    yield made
    made.close()


@pytest.fixture
def endpoint(db, platform):
    return PlatformEndpoint.objects.create(name="platform", url=platform.url(), secret="s3cret")


def notice(account=None, event="SUSPEND", key="suspend:1"):
    account = account or customer()
    record_notices([NoticeDraft(account.pk, event, key, {"account": account.number, "why": "Not paid"})], now=NOW)
    return PlatformNotice.objects.latest("pk")


class TestTellPlatform:
    def test_signs_what_it_says(self, endpoint, platform):
        made = notice()
        assert tell_platform(now=NOW).done == {"told": 1}
        heard = platform.heard[0]
        said = dict(part.split("=") for part in heard.headers["Clausebook-Signature"].split(","))
        expected = hmac.new(b"s3cret", said["t"].encode() + b"." + heard.body, hashlib.sha256).hexdigest()
        assert (said["v1"], int(said["t"]), heard.path) == (expected, int(NOW.timestamp()), "/hooks?from=billing")
        assert json.loads(heard.body) == {
            "account": made.account.number, "why": "Not paid", "id": "suspend:1", "event": "suspend",
            "at": NOW.isoformat(),
        }  # fmt: skip
        made.refresh_from_db()
        assert (made.state, made.told_at) == ("TOLD", NOW)

    def test_says_it_once(self, endpoint, platform):
        account = customer()
        notice(account)
        notice(account)
        for _ in range(5):
            tell_platform(now=NOW)
        assert len(platform.heard) == 1

    def test_tries_again_later_and_then_parks(self, endpoint, platform):
        """BillaBear lost a retry for good when the scheduler was down for a minute."""
        platform.answers = [503]
        made, now = notice(), NOW
        for _ in range(7):
            assert tell_platform(now=now).done == {"waiting": 1}
            assert tell_platform(now=now).done == {}
            now += timedelta(days=30)
        assert tell_platform(now=now).done == {"parked": 1}
        made.refresh_from_db()
        assert (made.state, made.attempts) == ("PARKED", 8)
        assert made.error == "The platform answered 503: not today"

    def test_keeps_an_accounts_notices_in_order(self, endpoint, platform):
        platform.answers = [500, 200]
        account = customer()
        notice(account), notice(account, "RESTORE", "restore:1")
        tell_platform(now=NOW)
        tell_platform(now=NOW + timedelta(hours=1))
        tell_platform(now=NOW + timedelta(hours=1))
        assert [json.loads(heard.body)["event"] for heard in platform.heard] == ["suspend", "suspend", "restore"]

    def test_does_not_let_one_account_wait_for_another(self, endpoint, platform):
        platform.answers = [500, 200]
        notice(), notice(key="suspend:2")
        assert tell_platform(now=NOW).done == {"waiting": 1, "told": 1}

    def test_tells_again_what_it_did_not_write_down(self, endpoint, platform, monkeypatch):
        """Killed between the call and the record: told again under the same id, after the lease."""
        made = notice()
        with monkeypatch.context() as patched:
            patched.setattr(telling, "_put_off", None)
            patched.setattr(telling, "post_signed", killed)
            with pytest.raises(KeyboardInterrupt):
                tell_platform(now=NOW)
        assert tell_platform(now=NOW).done == {}
        assert tell_platform(now=NOW + timedelta(minutes=6)).done == {"told": 1}
        made.refresh_from_db()
        assert made.attempts == 2

    def test_follows_no_redirect(self, endpoint, platform):
        platform.answers = [302]
        notice()
        tell_platform(now=NOW)
        assert [heard.path for heard in platform.heard] == ["/hooks?from=billing"]
        assert "redirect" in PlatformNotice.objects.get().error

    def test_tells_nothing_to_an_endpoint_that_is_off(self, endpoint, platform):
        """Kazoo: a boolean read the other way round."""
        notice()
        change_endpoint(endpoint=endpoint, is_on=False, actor=MIA, now=NOW)
        assert tell_platform(now=NOW).done == {}
        change_endpoint(endpoint=endpoint, is_on=True, actor=MIA, now=NOW)
        assert tell_platform(now=NOW).done == {"told": 1}

    def test_tells_an_endpoint_that_was_off_all_of_it_in_order(self, endpoint, platform):
        """Else it would hear of the suspension that waited for it, and not of the restoration."""
        account = customer()
        notice(account)
        change_endpoint(endpoint=endpoint, is_on=False, actor=MIA, now=NOW)
        notice(account, "RESTORE", "restore:1")
        assert PlatformNotice.objects.filter(endpoint=None, event="RESTORE").exists()
        change_endpoint(endpoint=endpoint, is_on=True, actor=MIA, now=NOW)
        tell_platform(now=NOW), tell_platform(now=NOW)
        assert [json.loads(heard.body)["event"] for heard in platform.heard] == ["suspend", "restore"]

    def test_keeps_in_the_list_what_nobody_listens_to(self, db):
        made = notice()
        assert (made.endpoint, made.state) == (None, "PENDING")
        assert tell_platform(now=NOW).done == {}

    def test_is_not_kept_by_who_answers_a_byte_at_a_time(self, endpoint, platform, monkeypatch):
        monkeypatch.setattr(outbound, "WHOLE_SECONDS", 0.3)
        platform.drips = True
        notice()
        began = datetime.now(UTC)
        tell_platform(now=NOW)
        assert (datetime.now(UTC) - began).total_seconds() < 3


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_eight_workers_tell_each_once(self, platform):
        PlatformEndpoint.objects.create(name="platform", url=platform.url(), secret="s3cret")
        for number in range(12):
            notice(key=f"suspend:{number}")
        results = at_once([lambda: tell_platform(now=NOW)] * 8)
        assert failures(results) == []
        assert sorted(json.loads(heard.body)["id"] for heard in platform.heard) == sorted(
            f"suspend:{number}" for number in range(12)
        )


def killed(*_, **__):
    raise KeyboardInterrupt


class TestPostSigned:
    @pytest.mark.parametrize("address", [
        "127.0.0.1", "10.0.0.5", "172.16.3.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
        "64:ff9b::a00:1", "2002:a00:1::", "2001:db8::1",
    ])  # fmt: skip
    def test_calls_no_private_address(self, address, monkeypatch):
        assert not is_public(address)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (address, 443))])
        monkeypatch.setattr(socket, "create_connection", killed)
        with pytest.raises(CallFailed, match="no public address"):
            post_signed("https://platform.example/", b"{}", secret="s", at=NOW)

    def test_calls_a_public_one(self):
        assert is_public("93.184.216.34")
        assert is_public("2606:2800:220:1:248:1893:25c8:1946")

    def test_calls_nothing_where_one_of_several_addresses_is_private(self, monkeypatch):
        found = [(0, 0, 0, "", ("93.184.216.34", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with pytest.raises(CallFailed, match=r"10\.0\.0\.1, which is no public address"):
            post_signed("https://platform.example/", b"{}", secret="s", at=NOW)

    def test_connects_to_the_address_that_was_checked(self, monkeypatch):
        """A name that leads elsewhere the second time it is looked up leads nowhere."""
        asked, dialled = [], []

        def looked_up(host, *_, **__):
            asked.append(host)
            return [(0, 0, 0, "", ("93.184.216.34" if len(asked) == 1 else "10.0.0.1", 443))]

        def dial(address, timeout):
            dialled.append(address)
            raise OSError("far away")

        monkeypatch.setattr(socket, "getaddrinfo", looked_up)
        monkeypatch.setattr(socket, "create_connection", dial)
        with pytest.raises(CallFailed, match="far away"):
            post_signed("https://platform.example/", b"{}", secret="s", at=NOW)
        assert (asked, dialled) == (["platform.example"], [("93.184.216.34", 443)])

    @pytest.mark.parametrize("url", ["http://platform.example/", "ftp://platform.example/", "https://", "file:///etc"])
    def test_speaks_https_only(self, url):
        with pytest.raises(CallFailed, match="https only"):
            post_signed(url, b"{}", secret="s", at=NOW)

    def test_speaks_http_to_this_machine_only_where_it_may(self, platform):
        with pytest.raises(CallFailed, match="https only"):
            post_signed(platform.url(), b"{}", secret="s", at=NOW)
        assert post_signed(platform.url(), b"{}", secret="s", at=NOW, may_be_local=True) == 200

    def test_speaks_http_to_no_other_machine(self, monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.216.34", 80))])
        with pytest.raises(CallFailed, match="no public address"):
            post_signed("http://platform.example/", b"{}", secret="s", at=NOW, may_be_local=True)

    def test_fails_in_a_sentence_where_nobody_listens(self, platform):
        url = platform.url()
        platform.close()
        with pytest.raises(CallFailed, match="ConnectionRefusedError"):
            post_signed(url, b"{}", secret="s", at=NOW, may_be_local=True)


class TestSignature:
    def test_is_of_the_time_and_the_body(self):
        at = datetime(2026, 4, 1, tzinfo=UTC)
        assert signature("secret", b'{"a":1}', at=at) == (
            "t=1775001600,v1=" + hmac.new(b"secret", b'1775001600.{"a":1}', hashlib.sha256).hexdigest()
        )


@pytest.mark.django_db
class TestEndpoints:
    def test_show_their_secret_once(self):
        made = add_endpoint(name="platform", url="https://platform.example/hooks", actor=MIA, now=NOW)
        assert len(made.secret) == 64
        assert masked(made) == f"{made.secret[:4]}…"

    def test_get_a_new_secret(self):
        made = add_endpoint(name="platform", url="https://platform.example/hooks", actor=MIA, now=NOW)
        assert renew_secret(endpoint=made, actor=MIA, now=NOW).secret != made.secret

    @pytest.mark.parametrize("url", [
        "http://platform.example/", "http://127.0.0.1/", "https://name:pass@platform.example/", "https:///hooks", "x",
    ])  # fmt: skip
    def test_refuse_an_address_that_is_none(self, url):
        with pytest.raises(BadValue):
            add_endpoint(name="platform", url=url, actor=MIA, now=NOW)

    def test_may_be_local_in_a_demo(self, settings):
        settings.PLATFORM_MAY_BE_LOCAL = True
        assert add_endpoint(name="platform", url="http://127.0.0.1:8001/", actor=MIA, now=NOW).pk

    def test_need_the_right(self):
        made = add_endpoint(name="platform", url="https://platform.example/hooks", actor=MIA, now=NOW)
        with pytest.raises(NotPermitted):
            add_endpoint(name="other", url="https://platform.example/", actor=NOBODY, now=NOW)
        with pytest.raises(NotPermitted):
            change_endpoint(endpoint=made, is_on=False, actor=NOBODY, now=NOW)
        with pytest.raises(NotPermitted):
            renew_secret(endpoint=made, actor=NOBODY, now=NOW)


@pytest.mark.django_db
class TestByHand:
    def parked(self, account=None, **values):
        made = notice(account, **values)
        PlatformNotice.objects.filter(pk=made.pk).update(state="PARKED", attempts=8, error="Away")
        made.refresh_from_db()
        return made

    def test_a_parked_notice_is_told_again(self):
        made = retry_notice(notice=self.parked(), actor=MIA, now=NOW)
        assert (made.state, made.attempts, made.error) == ("PENDING", 0, "")

    def test_one_that_was_overtaken_is_not(self):
        account = customer()
        made = self.parked(account)
        notice(account, "RESTORE", "restore:1")
        with pytest.raises(NoticeRefused, match="overtaken"):
            retry_notice(notice=made, actor=MIA, now=NOW)

    def test_one_that_starts_what_was_paid_is_never_overtaken(self):
        account = customer()
        made = self.parked(account, event="START", key="start:1")
        notice(account, "SUSPEND", "suspend:1"), notice(account, "RESTORE", "restore:1")
        assert retry_notice(notice=made, actor=MIA, now=NOW).state == "PENDING"

    def test_one_that_holds_no_more_is_settled_by_hand(self):
        """It would stand among what waits for a person for ever: it cannot be told again."""
        account = customer()
        made = self.parked(account)
        notice(account, "RESTORE", "restore:1")
        assert told_by_hand(notice=made, actor=MIA, now=NOW, why="Restored.").state == "TOLD"

    def test_one_that_was_told_is_not(self):
        made = told_by_hand(notice=notice(), actor=MIA, now=NOW)
        assert made.state == "TOLD"
        with pytest.raises(NotPossibleNow):
            retry_notice(notice=made, actor=MIA, now=NOW)

    def test_both_need_the_right(self):
        with pytest.raises(NotPermitted):
            retry_notice(notice=self.parked(), actor=NOBODY, now=NOW)
        with pytest.raises(NotPermitted):
            told_by_hand(notice=notice(key="suspend:2"), actor=NOBODY, now=NOW)
