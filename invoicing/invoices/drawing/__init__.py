"""The invoice on paper: `render` takes an `InvoiceDocument` and gives the bytes of a PDF."""

from invoicing.invoices.drawing.rendering import DocumentDoesNotAddUp, render

__all__ = ["DocumentDoesNotAddUp", "render"]
