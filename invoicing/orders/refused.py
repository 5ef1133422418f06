"""Why an order does not move, in words."""

from accounts.refusals import Refusal
from invoicing.orders.models import Order


class OrderRefused(Exception):
    """What stands in the way of an order, with its clause."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(f"{refusal.clause}: {refusal.sentence} {refusal.way_out}".strip())


def refusal_to(order: Order, sentence: str) -> Refusal:
    clause = "SVC-1" if order.kind == Order.Kind.SERVICE else "SEAT-2"
    return Refusal(clause, sentence, "See its invoice and payments.")


def words_of(order: Order) -> str:
    """Its state, in a sentence."""
    return order.get_state_display().lower()
