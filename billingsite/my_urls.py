"""The customers' pages, under /my/."""

from django.urls import path

from accounts.portal import my_accounts
from invoicing.collections import portal as standing
from invoicing.orders import portal as orders
from invoicing.payments import portal as payments
from invoicing.payments import portal_methods as methods
from invoicing.prepaid import portal as prepaid
from invoicing.prepaid import portal_uses as uses
from invoicing.reports import portal as reports

urlpatterns = [
    path("", my_accounts, name="my_accounts"),
    path("<int:account_id>/", standing.owed, name="my_account"),
    path("<int:account_id>/invoices/<int:invoice_id>.pdf", payments.invoice_pdf, name="my_invoice_pdf"),
    path("<int:account_id>/pay/", payments.pay, name="my_pay"),
    path("<int:account_id>/methods/", methods.methods, name="my_methods"),
    path("<int:account_id>/methods/add/", methods.add_method, name="my_method_add"),
    path("<int:account_id>/methods/added/", methods.method_added, name="my_method_added"),
    path("<int:account_id>/methods/automatic/", methods.automatic, name="my_automatic"),
    path("<int:account_id>/methods/<int:method_id>/default/", methods.default, name="my_method_default"),
    path("<int:account_id>/methods/<int:method_id>/remove/", methods.remove, name="my_method_remove"),
    path("<int:account_id>/prepaid/", prepaid.prepaid, name="my_prepaid"),
    path("<int:account_id>/prepaid/top-up/", prepaid.top_up_by_hand, name="my_top_up"),
    path("<int:account_id>/prepaid/agreement/", prepaid.agree, name="my_agreement"),
    path("<int:account_id>/prepaid/uses/", uses.uses, name="my_uses"),
    path("<int:account_id>/orders/", orders.orders, name="my_orders"),
    path("<int:account_id>/orders/ask/", orders.ask, name="my_ask"),
    path("<int:account_id>/orders/<int:order_id>/", orders.order, name="my_order"),
    path("<int:account_id>/orders/<int:order_id>/authorize/", orders.authorize, name="my_order_authorize"),
    path("<int:account_id>/orders/<int:order_id>/cancel/", orders.cancel, name="my_order_cancel"),
    path("<int:account_id>/work/<int:charge_id>/authorize/", orders.authorize_work, name="my_work_authorize"),
    path("<int:account_id>/documents/", reports.documents, name="my_documents"),
    path("<int:account_id>/documents/<int:letter_id>.pdf", reports.letter_pdf, name="my_letter"),
    path("<int:account_id>/documents/statement.pdf", reports.statement, name="my_statement"),
]
