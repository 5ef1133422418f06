"""Methods that were removed here are forgotten at their gateway too, so that nobody can charge them there."""

from datetime import datetime

import structlog

from invoicing.payments.calling import outside_transactions
from invoicing.payments.gateways.protocol import GatewayRefused, NoAnswer
from invoicing.payments.gateways.registry import NoSuchGateway, gateway
from invoicing.payments.models import PaymentMethod

log = structlog.get_logger(__name__)


def forget_at_gateway(method: PaymentMethod, *, now: datetime) -> bool:
    """
    Have the gateway forget a method that was removed; whether it has. If not, it is asked again later.

    :raises RuntimeError: inside a transaction
    """
    try:
        _forget(method, now=now)
    except (NoAnswer, GatewayRefused, NoSuchGateway) as error:
        _not_yet(method, error)
        return False
    return True


def forget_removed(*, now: datetime) -> int:
    """
    Ask the gateways once more to forget what was removed and is still there; how many they have forgotten now.

    One that is silent is not asked about the others this time.
    """
    removed = PaymentMethod.objects.filter(state=PaymentMethod.State.REMOVED, forgotten_at__isnull=True)
    silent: set[str] = set()
    done = 0
    for method in removed.order_by("pk"):
        if method.gateway in silent:
            continue
        try:
            _forget(method, now=now)
            done += 1
        except (GatewayRefused, NoSuchGateway) as error:
            _not_yet(method, error)
        except NoAnswer as error:
            silent.add(method.gateway)
            _not_yet(method, error)
    return done


def _forget(method: PaymentMethod, *, now: datetime) -> None:
    outside_transactions()
    gateway(method.gateway).forget_method(method.token)
    PaymentMethod.objects.filter(pk=method.pk, forgotten_at__isnull=True).update(forgotten_at=now)


def _not_yet(method: PaymentMethod, error: Exception) -> None:
    log.warning("a removed method is still at its gateway; asked again later", method=method.pk, why=str(error))
