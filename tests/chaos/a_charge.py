"""A worker to be killed: the sweep of a day, as a process of its own, that stands still when the bank has charged."""

import sys
import time
from datetime import date, datetime
from pathlib import Path

import django

django.setup()

from accounts.actors import schedule  # noqa: E402 Django first
from invoicing.payments.gateways.demo import DemoGateway, SetClock  # noqa: E402
from invoicing.payments.gateways.protocol import Answer, ChargeRequest  # noqa: E402
from invoicing.payments.gateways.registry import installed  # noqa: E402
from invoicing.payments.operations import charge_due  # noqa: E402
from invoicing.payments.receiving import take_in  # noqa: E402


class StandsStill(DemoGateway):
    """The money is taken, and its answer never arrives."""

    def charge(self, request: ChargeRequest) -> Answer:
        answer = super().charge(request)
        take_in(self)
        print("charged", flush=True)  # noqa: T201 whoever kills it waits for this
        time.sleep(600)
        return answer


def main(path: Path, now: datetime, on: date) -> None:
    with installed(StandsStill(clock=SetClock(now), path=path)):
        charge_due(on=on, now=now, actor=schedule())


if __name__ == "__main__":
    main(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), date.fromisoformat(sys.argv[3]))
