"""The demo gateway in the test's own process, its clock set by the test."""

from collections.abc import Iterator

import pytest

from invoicing.payments.gateways.demo import DemoGateway, SetClock
from invoicing.payments.gateways.registry import installed
from tests.invoicing.payments.factories import NOW


@pytest.fixture(autouse=True)
def gateway() -> Iterator[DemoGateway]:
    demo = DemoGateway(clock=SetClock(NOW))
    with installed(demo):
        yield demo
