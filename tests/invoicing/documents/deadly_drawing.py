"""A drawing that ends its process. It runs in others, so nothing here needs Django."""

import os

from invoicing.invoices.document import InvoiceDocument
from invoicing.invoices.drawing import render

DEADLY = "deadly"


def draw(document: InvoiceDocument) -> bytes:
    """Draws, unless it is told to die as a process does that runs out of memory."""
    if document.reason == DEADLY:
        os._exit(9)
    return render(document)
