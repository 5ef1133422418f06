"""The platform's door: `POST /api/v1/usage-events`."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import BearerToken, ExactJSONParser, HasScope, TokenThrottle
from accounts.tokens import USAGE_WRITE
from invoicing.prepaid.bell import ring_for_top_ups
from invoicing.prepaid.usage import ACCEPTED, DUPLICATE, REFUSED, Answer, KeysInUse, Standing, Taken, take_uses
from invoicing.prepaid.usage_reading import read_use

MOST_EVENTS = 1000
AS_PRINTED = {"max_digits": 18, "decimal_places": 6}


class UsageEvent(serializers.Serializer):
    """One use. The same key again, unchanged, is a duplicate and changes nothing."""

    key = serializers.CharField(max_length=80, help_text="The platform's own name for this use, once and for ever.")
    account = serializers.CharField(max_length=40, help_text="The account's number, as on its invoices.")
    product = serializers.CharField(max_length=60, help_text="The code of a per-use product.")
    at = serializers.DateTimeField(help_text="ISO 8601 with the zone: 2026-12-01T09:30:00-07:00.")
    quantity = serializers.DecimalField(**AS_PRINTED, help_text="In the product's unit; a number or a text.")
    detail = serializers.CharField(max_length=200, required=False, help_text="Such as the number that was called.")


class UsageBatch(serializers.Serializer):
    events = UsageEvent(many=True, max_length=MOST_EVENTS)


class RefusalAnswer(serializers.Serializer):
    field = serializers.CharField(allow_blank=True, help_text="What it is about; empty: the event as a whole.")
    clause = serializers.CharField()
    sentence = serializers.CharField()
    way_out = serializers.CharField()


class UsageEventAnswer(serializers.Serializer):
    key = serializers.CharField()
    outcome = serializers.ChoiceField([ACCEPTED, DUPLICATE, REFUSED])
    amount = serializers.DecimalField(**AS_PRINTED, allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    refusals = RefusalAnswer(many=True)


class AccountAnswer(serializers.Serializer):
    """PRE-4: what is left; `available` goes down to the floor."""

    account = serializers.CharField()
    currency = serializers.CharField()
    balance = serializers.DecimalField(**AS_PRINTED)
    available = serializers.DecimalField(**AS_PRINTED)
    may_go_on = serializers.BooleanField(help_text="False: nothing is left, monthly charges wait, or suspended.")


class UsageAnswer(serializers.Serializer):
    events = UsageEventAnswer(many=True, help_text="One for each event sent, in their order.")
    accounts = AccountAnswer(many=True)


class Busy(APIException):
    status_code = 409
    default_code = "keys_in_use"


class UsageEvents(APIView):
    """PRE-1: uses in batches, each rated and deducted from the prepaid balance at once, or refused by itself."""

    authentication_classes = (BearerToken,)
    permission_classes = (HasScope,)
    throttle_classes = (TokenThrottle,)
    parser_classes = (ExactJSONParser,)
    scope_needed = USAGE_WRITE

    @extend_schema(request=UsageBatch, responses=UsageAnswer, operation_id="send_usage_events")
    def post(self, request: Request) -> Response:
        """Send up to 1,000 uses."""
        now = timezone.now()
        oldest = settings.USAGE_AT_MOST_DAYS_OLD
        uses = [read_use(event, now=now, at_most_days_old=oldest) for event in _events(request.data)]
        try:
            taken = take_uses(uses, now=now)
        except KeysInUse as error:
            raise Busy(str(error)) from error
        ring_for_top_ups(taken.to_top_up)
        return Response(as_json(taken))


def as_json(taken: Taken) -> dict[str, Any]:
    """Amounts as texts, so that no reader makes floats of them."""
    return {
        "events": [_answer(answer) for answer in taken.answers],
        "accounts": [_standing(standing) for standing in taken.accounts],
    }


def _events(data: Any) -> list[Any]:
    if not isinstance(data, dict) or not isinstance(data.get("events"), list):
        raise ValidationError("Send an object with the list “events”.")
    events: list[Any] = data["events"]
    if not 0 < len(events) <= MOST_EVENTS:
        raise ValidationError(f"Send 1 to {MOST_EVENTS:,} events at a time; these are {len(events):,}.")
    return events


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "key": answer.key,
        "outcome": answer.outcome,
        "amount": None if answer.amount is None else f"{answer.amount:f}",
        "currency": answer.currency,
        "refusals": [
            {"field": field, "clause": refusal.clause, "sentence": refusal.sentence, "way_out": refusal.way_out}
            for field, refusal in zip(answer.fields, answer.refusals, strict=True)
        ],
    }


def _standing(standing: Standing) -> dict[str, Any]:
    return {**standing._asdict(), "balance": f"{standing.balance:f}", "available": f"{standing.available:f}"}
