"""Which gateway goes by which name here. Rows keep the name; the settings say what stands behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from invoicing.payments.gateways.demo import NAME as DEMO
from invoicing.payments.gateways.demo import DemoGateway
from invoicing.payments.gateways.protocol import Gateway
from invoicing.payments.gateways.stripe_gateway import StripeGateway

STRIPE = "stripe"
_installed: dict[str, Gateway] = {}


class NoSuchGateway(Exception):
    """There is no gateway of that name, or it is not set up; nothing was asked of anybody."""


def gateway(name: str) -> Gateway:
    """
    The gateway that rows call so.

    :raises NoSuchGateway: with what would have to be set
    """
    if name in _installed:
        return _installed[name]
    if name == STRIPE:
        return _stripe_as_set_up()
    if name == DEMO:
        return demo_gateway()
    if not name:
        raise NoSuchGateway("No payment gateway is set up: set PAYMENT_GATEWAY, for example to stripe.")
    raise NoSuchGateway(f"There is no payment gateway called “{name}”: there are {STRIPE} and {DEMO}.")


def gateway_for_new_methods() -> Gateway:
    """
    Where customers add cards and bank accounts.

    :raises NoSuchGateway: if PAYMENT_GATEWAY names none that is set up
    """
    return gateway(settings.PAYMENT_GATEWAY)


def demo_gateway() -> DemoGateway:
    """
    The demonstration's own, with what it alone can do; its file is shared by the site's processes.

    :raises NoSuchGateway: on any other site
    """
    found = _installed.get(DEMO)
    if found is None:
        if not settings.DEMO:
            raise NoSuchGateway("The demo gateway moves no money and answers on a demonstration site only (DEMO=1).")
        found = _demo(settings.DEMO_GATEWAY_FILE, settings.SECRET_KEY)
    if not isinstance(found, DemoGateway):
        raise NoSuchGateway("What goes by the name of the demo gateway here is another one.")
    return found


@contextmanager
def installed(another: Gateway) -> Iterator[Gateway]:
    """Have this one answer to its name for a while, whatever the settings say: for tests."""
    before = _installed.get(another.name)
    _installed[another.name] = another
    try:
        yield another
    finally:
        if before is None:
            del _installed[another.name]
        else:
            _installed[another.name] = before


def _stripe_as_set_up() -> Gateway:
    wanted = {"STRIPE_SECRET_KEY": settings.STRIPE_SECRET_KEY, "STRIPE_WEBHOOK_SECRET": settings.STRIPE_WEBHOOK_SECRET}
    if missing := [name for name, value in wanted.items() if not value]:
        raise NoSuchGateway(f"Stripe is not set up: set {' and '.join(missing)}, as Stripe's dashboard shows them.")
    return _stripe(settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET)


@lru_cache(maxsize=1)
def _stripe(secret_key: str, webhook_secret: str) -> Gateway:
    return StripeGateway(secret_key=secret_key, webhook_secret=webhook_secret)


@lru_cache(maxsize=1)
def _demo(path: Path, secret: str) -> DemoGateway:
    webhook_secret = "whsec_" + salted_hmac("demo gateway", "webhooks", secret=secret).hexdigest()
    return DemoGateway(clock=timezone.now, path=path, webhook_secret=webhook_secret)
