"""On a demonstration site, what Stripe does by itself: time passes at the bank, and notices arrive."""

from celery import shared_task

from invoicing.payments.gateways.registry import demo_gateway
from invoicing.payments.receiving import take_in


@shared_task(acks_late=True)
def let_the_demo_bank_work() -> None:
    """Do what is due at the demo's bank, and take in what it tells; safe to run twice and beside itself."""
    gateway = demo_gateway()
    gateway.pass_time()
    take_in(gateway)
