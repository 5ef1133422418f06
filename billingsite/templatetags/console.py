"""What the console's templates ask for."""

from django import template

from billingsite.console.timeline import invoice_link

register = template.Library()
register.simple_tag(invoice_link, name="invoice_address")
