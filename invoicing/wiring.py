"""
Who hears of what: rooms that stand below are told here, once, of those above that they must not know.

Each line is one fact that travels upwards; everything else in the house is an import downwards.
"""

from invoicing.collections import queries as collections
from invoicing.collections import restoring, statements
from invoicing.collections.outdated import paid_reminders, withdrawn_warnings
from invoicing.documents import composers, letter_composer, outdated
from invoicing.invoices import credited, paid
from invoicing.invoices.composing import InvoiceComposer
from invoicing.orders import following as orders
from invoicing.payments import excluding, settled
from invoicing.payments.of_invoices import paid_by
from invoicing.prepaid import credit_notes, crediting, forecast, standing
from invoicing.reports.agency_statements import agency_statements
from invoicing.runs.forecast import coming_charges


def connect() -> None:
    """Called when the site starts, after the models are loaded; a second time changes nothing."""
    for kind in ("INVOICE", "CREDIT_NOTE"):
        composers.register(kind, InvoiceComposer())
    for kind in letter_composer.FOLDERS:
        composers.register(kind, letter_composer.LetterComposer(kind))
    outdated.register("REMINDER", paid_reminders)
    outdated.register("NOTICE", withdrawn_warnings)
    paid.register(paid_by)
    # COLL-1, DISP-1: what is disputed, held or with the agency is not charged; SUSP-1: who is suspended may not go on.
    excluding.exclude(collections.not_charged)
    standing.register(collections.suspended)
    # COLL-1: the statements beside the agency's file.
    statements.register(agency_statements)
    # PRE-3: what a coming 1st will cost, priced as the run will price it.
    forecast.register(coming_charges)
    # What a balance has paid and a credit note takes back is on the balance again.
    credited.when_credited(credit_notes.hear_of_credit_note)
    # What a payment means for a balance comes before what the balance means for a suspension; then what may start.
    settled.when_settled(crediting.hear_of_payment)
    settled.when_charged_back(crediting.hear_of_chargeback)
    settled.when_settled(restoring.restore_paid)
    settled.when_settled(orders.follow_payment)
    settled.when_charged_back(orders.follow_chargeback)
