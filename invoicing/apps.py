from importlib import import_module

from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    name = "invoicing"

    def ready(self) -> None:
        # The rooms' models exist only now.
        import_module("invoicing.wiring").connect()
