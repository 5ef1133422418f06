"""COLL-1: the daily job: what came since, what is ripe, what goes by itself, and the agency's files."""

from datetime import date, datetime

from accounts.actors import Actor
from invoicing.collections.batch_files import write_batches, write_updates
from invoicing.collections.following import follow_up
from invoicing.collections.placing import approve_placements
from invoicing.collections.proposing import propose
from invoicing.collections.sweeping import Swept
from invoicing.sellers.models import Seller
from invoicing.sellers.queries import today_of


def hand_off(*, on: date, now: datetime, actor: Actor, seller: Seller | None = None, dry_run: bool = False) -> Swept:
    """
    Follow up what is with the agency, propose what is ripe, hand over what the terms hand over by themselves, and
    write the files. A proposal under terms that want a review waits for a manager.

    A dry run writes nothing; what it would propose it cannot hand over, and so does not count.

    :raises NotPermitted: unless the actor may approve placements
    """
    swept = Swept()
    swept.add(follow_up(on=on, now=now, actor=actor, seller=seller, dry_run=dry_run))
    swept.add(propose(on=on, now=now, actor=actor, seller=seller, dry_run=dry_run))
    swept.add(approve_placements(on=on, now=now, actor=actor, seller=seller, automatic_only=True, dry_run=dry_run))
    if not dry_run:
        for one in Seller.objects.order_by("pk") if seller is None else [seller]:
            swept.done["updates"] += write_updates(today=today_of(one, now=now), seller=one)
        swept.done["files"] += len(write_batches(now=now))
    return swept
