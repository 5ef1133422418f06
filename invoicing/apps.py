from importlib import import_module

from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    name = "invoicing"

    def ready(self) -> None:
        # The rooms below know no invoices: who composes a document is said here, once the models are loaded.
        composers = import_module("invoicing.documents.composers")
        composer = import_module("invoicing.invoices.composing").InvoiceComposer()
        for kind in ("INVOICE", "CREDIT_NOTE"):
            composers.register(kind, composer)
        letters = import_module("invoicing.documents.letter_composer")
        for kind in letters.FOLDERS:
            composers.register(kind, letters.LetterComposer(kind))
        # Payments and balances stand below collections, and are told from here what it knows.
        collections = import_module("invoicing.collections.queries")
        paying = import_module("invoicing.payments.of_invoices").paid_by
        import_module("invoicing.invoices.paid").register(paying)
        import_module("invoicing.payments.excluding").exclude(collections.not_charged)
        import_module("invoicing.prepaid.standing").register(collections.suspended)
        # What a payment or its return means for a balance comes before what the balance means for a suspension.
        crediting = import_module("invoicing.prepaid.crediting")
        import_module("invoicing.payments.settled").when_settled(crediting.hear_of_payment)
        import_module("invoicing.payments.settled").when_charged_back(crediting.hear_of_chargeback)
        restoring = import_module("invoicing.collections.restoring")
        import_module("invoicing.payments.settled").when_settled(restoring.restore_paid)
        # PRE-3: what a coming 1st will cost, priced as the run will price it.
        import_module("invoicing.prepaid.forecast").register(import_module("invoicing.runs.forecast").coming_charges)
        # SVC-1, SEAT-2: what was paid at once may start.
        orders = import_module("invoicing.orders.following")
        settled = import_module("invoicing.payments.settled")
        settled.when_settled(orders.follow_payment)
        settled.when_charged_back(orders.follow_chargeback)
