"""How documents and deliveries move from state to state, and when a mail is tried again."""

from datetime import timedelta

# A state, and those that may follow it. What is drawn or sent stays so.
DOCUMENT_TRANSITIONS: dict[str, frozenset[str]] = {
    "PENDING": frozenset({"RENDERED", "PARKED"}),
    "RENDERED": frozenset(),
    "PARKED": frozenset({"PENDING"}),
}
# An uncertain delivery is settled by its sender, if its answer comes late, or by a person.
DELIVERY_TRANSITIONS: dict[str, frozenset[str]] = {
    "PENDING": frozenset({"SENDING", "PARKED"}),
    "SENDING": frozenset({"SENT", "PENDING", "PARKED", "UNCERTAIN"}),
    "SENT": frozenset(),
    "PARKED": frozenset({"PENDING"}),
    "UNCERTAIN": frozenset({"SENT", "PENDING", "PARKED"}),
}

# What a crash may delay: work is taken up again when its lease has run out.
LEASE = timedelta(minutes=15)

# Claims without an outcome: from the second on a document is drawn alone, so that it takes no others along.
CLAIMS_BEFORE_DRAWN_ALONE = 2
MOST_CLAIMS = 5

# A mail server that cannot be reached is tried again after this; nothing is held against the deliveries.
OUTAGE_PAUSE = timedelta(minutes=5)
RETRY_AFTER = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=12))


def states_before(transitions: dict[str, frozenset[str]], state: str) -> list[str]:
    """The states from which `state` may be reached."""
    return [before for before, after in transitions.items() if state in after]


def retry_after(attempts: int) -> timedelta | None:
    """How long to wait after the so-many-th attempt that the mail server put off; None: no more attempts."""
    return RETRY_AFTER[attempts - 1] if attempts <= len(RETRY_AFTER) else None
