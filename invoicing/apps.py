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
