"""The customers' pages, under /my/."""

from django.urls import path

from accounts.portal import my_accounts
from invoicing.payments import portal as payments
from invoicing.prepaid import portal as prepaid

urlpatterns = [
    path("", my_accounts, name="my_accounts"),
    path("<int:account_id>/", payments.owed, name="my_account"),
    path("<int:account_id>/invoices/<int:invoice_id>.pdf", payments.invoice_pdf, name="my_invoice_pdf"),
    path("<int:account_id>/pay/", payments.pay, name="my_pay"),
    path("<int:account_id>/methods/", payments.methods, name="my_methods"),
    path("<int:account_id>/methods/add/", payments.add_method, name="my_method_add"),
    path("<int:account_id>/methods/added/", payments.method_added, name="my_method_added"),
    path("<int:account_id>/methods/<int:method_id>/default/", payments.default, name="my_method_default"),
    path("<int:account_id>/methods/<int:method_id>/remove/", payments.remove, name="my_method_remove"),
    path("<int:account_id>/prepaid/", prepaid.prepaid, name="my_prepaid"),
    path("<int:account_id>/prepaid/top-up/", prepaid.top_up_by_hand, name="my_top_up"),
    path("<int:account_id>/prepaid/agreement/", prepaid.agree, name="my_agreement"),
]
