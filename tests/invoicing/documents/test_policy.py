"""The states and what may follow them, over every pair."""

from datetime import timedelta

import pytest

from invoicing.documents.models import Delivery, Document
from invoicing.documents.policy import DELIVERY_TRANSITIONS, DOCUMENT_TRANSITIONS, retry_after, states_before
from invoicing.documents.sending import _move
from tests.invoicing.documents.factories import NOW, due_mails

DELIVERY_STEPS = {
    *[("PENDING", "SENDING"), ("PENDING", "PARKED")],
    *[("SENDING", "SENT"), ("SENDING", "PENDING"), ("SENDING", "PARKED"), ("SENDING", "UNCERTAIN")],
    *[("UNCERTAIN", "SENT"), ("UNCERTAIN", "PENDING"), ("UNCERTAIN", "PARKED")],
    ("PARKED", "PENDING"),
}
DOCUMENT_STEPS = {("PENDING", "RENDERED"), ("PENDING", "PARKED"), ("PARKED", "PENDING")}
STATES = Delivery.State.values


class TestTransitions:
    @pytest.mark.parametrize(
        ("transitions", "states", "steps"),
        [
            pytest.param(DELIVERY_TRANSITIONS, STATES, DELIVERY_STEPS, id="deliveries"),
            pytest.param(DOCUMENT_TRANSITIONS, Document.State.values, DOCUMENT_STEPS, id="documents"),
        ],
    )
    def test_name_each_state_and_these_steps_alone(self, transitions, states, steps):
        assert sorted(transitions) == sorted(states)
        assert {(before, after) for after in states for before in states_before(transitions, after)} == steps

    @pytest.mark.django_db
    @pytest.mark.parametrize("after", STATES)
    @pytest.mark.parametrize("before", STATES)
    def test_a_delivery_makes_no_other_step(self, before, after):
        (delivery,) = due_mails("ap")
        Delivery.objects.filter(pk=delivery.pk).update(state=before, leased_until=NOW, sent_at=NOW)
        delivery.refresh_from_db()

        assert _move(delivery, Delivery.State(after)) == ((before, after) in DELIVERY_STEPS)

        delivery.refresh_from_db()
        assert delivery.state == (after if (before, after) in DELIVERY_STEPS else before)

    @pytest.mark.django_db
    def test_a_delivery_makes_none_for_a_worker_that_has_lost_it(self):
        (delivery,) = due_mails("ap")
        Delivery.objects.filter(pk=delivery.pk).update(state="SENDING", leased_until=NOW)
        delivery.leased_until = NOW - timedelta(minutes=15)
        assert not _move(delivery, Delivery.State.PENDING)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("attempts", "wait"),
        [
            (1, timedelta(minutes=5)),
            (2, timedelta(minutes=30)),
            (3, timedelta(hours=2)),
            (4, timedelta(hours=12)),
            pytest.param(5, None, id="the last"),
        ],
    )
    def test_is_longer_each_time_and_ends(self, attempts, wait):
        assert retry_after(attempts) == wait
