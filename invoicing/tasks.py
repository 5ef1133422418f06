"""Every room's tasks, for Celery to find."""

from invoicing.collections.tasks import hand_off_unpaid, remind_unpaid, suspend_unpaid, tell_the_platform
from invoicing.documents.tasks import render_documents, send_deliveries
from invoicing.orders.tasks import follow_orders
from invoicing.payments.demo_tasks import let_the_demo_bank_work
from invoicing.payments.method_tasks import warn_of_cards
from invoicing.payments.tasks import charge_due, charge_seller, resolve_payments, work_off_events
from invoicing.prepaid.tasks import top_up_account, top_up_balances, warn_of_low_balances
from invoicing.reports.tasks import write_exports
from invoicing.runs.tasks import bill_due, bill_seller, continue_run, post_awaited, start_run_task

__all__ = [
    "bill_due",
    "bill_seller",
    "charge_due",
    "charge_seller",
    "continue_run",
    "hand_off_unpaid",
    "let_the_demo_bank_work",
    "follow_orders",
    "post_awaited",
    "remind_unpaid",
    "render_documents",
    "resolve_payments",
    "send_deliveries",
    "start_run_task",
    "suspend_unpaid",
    "tell_the_platform",
    "top_up_account",
    "top_up_balances",
    "warn_of_cards",
    "warn_of_low_balances",
    "work_off_events",
    "write_exports",
]
