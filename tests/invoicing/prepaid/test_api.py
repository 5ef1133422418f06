"""PRE-1: `POST /api/v1/usage-events`, with what anybody may send."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.throttling import SimpleRateThrottle

from accounts.actors import command_line
from accounts.api import MOST_BYTES, TokenThrottle
from accounts.models import ApiToken
from accounts.tokens import make_token, revoke_token
from invoicing.prepaid import bell
from invoicing.prepaid.models import TopUpAgreement
from invoicing.prepaid.usage_reading import Unreadable, Use, read_use
from invoicing.subscriptions.models import UsageEvent
from tests.invoicing.prepaid.factories import NOW, balance_of, per_use, prepaid

ADDRESS = "/api/v1/usage-events"

# Each of these in the place of the field's value.
BAD_VALUES: dict[str, list[Any]] = {
    "key": ["", " ", "\ud800", "a\x00b", "a\nb", "x" * 81, 5, [], {}, True],
    "account": ["\udfff", "\x00", 7, None, [[]], "x" * 41],
    "product": ["\x00", 7, {"a": {"b": []}}],
    "at": [
        "", "yesterday", "2026-03-02", "2026-03-02T09:00:00", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00", "2026-W10-1", 1772442000, None, {}, "2026-03-02T09:00:00+99:00",
    ],
    "quantity": [
        "", "x", "NaN", "sNaN", "Infinity", "-1", 0, -3, True, None, [], {}, "1e999999999", "1E-999999999",
        "1000000000", 10**4000, "0.0000001", Decimal("1E+400"), "\u0661", "1,5",
        "1_000", " 5", "5 ", "1.2.3",
    ],
    "detail": ["\ud800", "x" * 201, 5, []],
    "surprise": [1],
    "\ud800": [1],
}  # fmt: skip
BAD_EVENTS: list[Any] = [
    None, True, 0, 1.5, "x", [], [[]], {}, {1: 2},
    *({field: value} for field, values in BAD_VALUES.items() for value in values),
]  # fmt: skip


@pytest.fixture
def key(db) -> str:
    return make_token("platform", ["usage:write"], actor=command_line(), now=NOW)[1]


def post(body: Any, key: str = "", **headers: str):
    given = {"Authorization": f"Bearer {key}"} if key else {}
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return Client(raise_request_exception=True).post(
        ADDRESS, data, content_type="application/json", headers={**given, **headers}
    )


def event(account, **values: Any) -> dict[str, Any]:
    return {
        "key": "k-1", "account": account.number, "product": "calls", "at": timezone.now().isoformat(), "quantity": 3,
    } | values  # fmt: skip


class TestPost:
    def test_takes_a_batch_and_says_what_is_left(self, key):
        per_use()
        account = prepaid("10")
        sent = event(account, detail="+1 555 0100")
        answer = post({"events": [sent, event(account, key="k-2", product="none")]}, key)
        assert answer.status_code == 200
        assert answer.json() == {
            "events": [
                {"key": "k-1", "outcome": "accepted", "amount": "0.300000", "currency": "USD", "refusals": []},
                {
                    "key": "k-2", "outcome": "refused", "amount": None, "currency": "",
                    "refusals": [{
                        "field": "product", "clause": "PRE-1",
                        "sentence": "There is no product with the code none.",
                        "way_out": "Send the code of a per-use product, as it stands in the console under Products.",
                    }],
                },
            ],
            "accounts": [{
                "account": account.number, "currency": "USD", "balance": "9.700000", "available": "9.700000",
                "may_go_on": True,
            }],
        }  # fmt: skip
        again = post({"events": [sent]}, key).json()
        assert again["events"][0]["outcome"] == "duplicate"
        assert again["events"][0]["amount"] == "0.300000"
        assert balance_of(account) == Decimal("9.7")

    def test_keeps_every_digit_of_a_number(self, key):
        per_use(price="1")
        account = prepaid("10")
        body = json.dumps({"events": [event(account)]}).replace('"quantity": 3', '"quantity": 0.100001')
        assert post(body, key).json()["events"][0]["amount"] == "0.100001"

    def test_rings_for_a_top_up(self, key, monkeypatch):
        per_use()
        account = prepaid("10")
        TopUpAgreement.objects.create(account=account, threshold=10, amount=50)
        rung = []
        monkeypatch.setattr("invoicing.prepaid.api.ring_for_top_ups", rung.extend)
        post({"events": [event(account)]}, key)
        assert rung == [account.pk]

    def test_takes_uses_without_a_broker(self, key, monkeypatch):
        """P10."""
        per_use()
        account = prepaid("10")
        TopUpAgreement.objects.create(account=account, threshold=10, amount=50)

        class Gone:
            def signature(self, *args: Any, **options: Any) -> Any:
                raise bell.OperationalError("no Redis")

        monkeypatch.setattr(bell, "current_app", Gone())
        assert post({"events": [event(account)]}, key).status_code == 200
        assert balance_of(account) == Decimal("9.7")


class TestWhoMaySend:
    def test_is_nobody_without_a_token(self, db):
        answer = post({"events": []})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
        assert "error" in answer.json()

    @pytest.mark.parametrize("header", ["Bearer cb_wrong", "Bearer", "Basic YTpi", "cb_x", "Bearer \u00e9"])
    def test_is_nobody_with_another_key(self, key, header):
        answer = post({"events": []}, Authorization=header)
        assert answer.status_code == 401
        assert answer.json()["error"]["sentence"].startswith("This is no token of ours.")

    def test_is_nobody_with_a_revoked_token(self, key):
        revoke_token(ApiToken.objects.get(), actor=command_line(), now=NOW)
        assert post({"events": []}, key).status_code == 401

    def test_is_nobody_with_a_token_of_another_scope(self, key):
        ApiToken.objects.update(scopes=["reports:read"])
        answer = post({"events": []}, key)
        assert answer.status_code == 403
        assert "it needs the scope “usage:write”" in answer.json()["error"]["sentence"]

    def test_is_not_somebody_signed_in_to_the_console(self, admin_client):
        assert admin_client.post(ADDRESS, {}, content_type="application/json").status_code == 401

    def test_is_counted_by_the_minute(self, key, monkeypatch):
        monkeypatch.setattr(TokenThrottle, "rate", "2/min")
        codes = [post({"events": []}, key).status_code for _ in range(3)]
        assert codes == [400, 400, 429]

    def test_is_not_counted_while_the_cache_is_gone(self, key, monkeypatch):
        """P10."""

        def gone(*args: Any) -> bool:
            raise RedisConnectionError("no Redis")

        monkeypatch.setattr(SimpleRateThrottle, "allow_request", gone)
        assert post({"events": []}, key).status_code == 400


class TestBadInput:
    @pytest.mark.parametrize("body", [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"events"', id="a text"),
        pytest.param(b"{}", id="no events"),
        pytest.param(b'{"events": {}}', id="events as an object"),
        pytest.param(b'{"events": []}', id="no event"),
        pytest.param(b'{"events": [NaN]}', id="NaN"),
        pytest.param(b'{"events": [{"quantity": Infinity}]}', id="Infinity"),
        pytest.param(b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nested rubbish"),
        pytest.param(b'{"events": [' + b"9" * 5000 + b"]}", id="a number of 5,000 digits"),
        pytest.param(b'{"events": [' + b",".join([b"0"] * 1001) + b"]}", id="1,001 events"),
    ])  # fmt: skip
    def test_is_one_sentence_in_json(self, key, body):
        answer = post(body, key)
        assert answer.status_code == 400
        assert answer.json()["error"]["sentence"].endswith(".")

    def test_is_refused_when_too_large(self, key):
        answer = post(b" " * (MOST_BYTES + 1), key)
        assert answer.status_code == 413

    def test_of_another_type_than_json_is_refused(self, key):
        answer = Client().post(ADDRESS, {"a": 1}, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 415

    def test_by_another_verb_is_refused(self, key):
        assert Client().get(ADDRESS, headers={"Authorization": f"Bearer {key}"}).status_code == 405

    @pytest.mark.parametrize("raw", BAD_EVENTS)
    def test_of_one_event_is_refused_by_itself(self, raw):
        good = {"key": "k", "account": "B-1", "product": "calls", "at": "2026-03-02T08:00:00Z", "quantity": "1"}
        given = good | raw if isinstance(raw, dict) else raw
        if isinstance(raw, dict) and not raw:
            given = {}
        read = read_use(given, now=NOW, at_most_days_old=62)
        assert isinstance(read, Unreadable)
        assert read.refusals
        json.dumps([read.key, *map(str, read.refusals)], ensure_ascii=False).encode()

    def test_leaves_the_good_ones_beside_it(self, key):
        per_use()
        account = prepaid("10")
        answer = post({"events": [None, event(account), {"key": "\ud800"}, 7]}, key)
        assert [row["outcome"] for row in answer.json()["events"]] == ["refused", "accepted", "refused", "refused"]
        assert UsageEvent.objects.count() == 1

    @pytest.mark.parametrize(("at", "refused"), [
        ("2026-03-02T09:05:00+00:00", False),
        ("2026-03-02T09:05:01+00:00", True),
        ("2025-12-30T09:00:00+00:00", False),
        ("2025-12-30T08:59:59+00:00", True),
    ])  # fmt: skip
    def test_is_a_moment_in_the_future_or_long_ago(self, at, refused):
        raw = {"key": "k", "account": "B-1", "product": "calls", "at": at, "quantity": "1"}
        assert isinstance(read_use(raw, now=NOW, at_most_days_old=62), Unreadable if refused else Use)

    def test_says_all_that_is_wrong(self):
        read = read_use({"key": "k", "quantity": "x", "at": "now"}, now=NOW, at_most_days_old=62)
        assert [field for field, _ in read.wrong] == ["account", "product", "at", "quantity"]


class TestTheSchema:
    def test_describes_the_door(self, db):
        answer = Client().get("/api/v1/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
        assert answer.status_code == 200
        schema = json.loads(answer.content)
        door = schema["paths"]["/api/v1/usage-events"]["post"]
        assert door["security"] == [{"token": []}]
        assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
        assert "UsageBatch" in json.dumps(door)

    def test_is_made_without_a_warning(self, db, capsys):
        Client().get("/api/v1/schema/")
        assert "arning" not in capsys.readouterr().err


def test_the_oldest_use_is_a_setting():
    assert settings.USAGE_AT_MOST_DAYS_OLD == 62
    assert datetime(2026, 3, 2, tzinfo=UTC) < NOW
