"""Documents are asked for set by set."""

import pytest

from invoicing.documents.models import Delivery, Document
from invoicing.documents.operations import request_documents
from tests.invoicing.documents.factories import make_account

pytestmark = pytest.mark.django_db


class TestRequestDocuments:
    def test_makes_a_document_of_each_subject_and_a_mail_to_each_address(self):
        first = make_account(invoice_emails=["AP@One.example", "cfo@one.example", "ap@one.example", " "])
        second = make_account(invoice_emails=[])

        request_documents("INVOICE", [901, 902], [first.pk, second.pk])

        documents = list(Document.objects.order_by("id").values_list("kind", "subject_id", "account_id", "state"))
        assert documents == [("INVOICE", 901, first.pk, "PENDING"), ("INVOICE", 902, second.pk, "PENDING")]
        mails = Delivery.objects.order_by("id").values_list("account_id", "address", "sequence", "state")
        assert list(mails) == [
            (first.pk, "ap@one.example", 1, "PENDING"),
            (first.pk, "cfo@one.example", 1, "PENDING"),
        ]

    def test_is_a_no_op_the_second_time_even_if_addresses_have_changed(self):
        account = make_account(invoice_emails=["ap@one.example"])
        request_documents("INVOICE", [901], [account.pk])
        account.invoice_emails = ["other@one.example"]
        account.save()

        request_documents("INVOICE", [901, 902], [account.pk, account.pk])

        found = Delivery.objects.order_by("id").values_list("document__subject_id", "address")
        assert list(found) == [(901, "ap@one.example"), (902, "other@one.example")]

    def test_tells_an_invoice_from_a_credit_note_of_the_same_id(self):
        account = make_account()
        request_documents("INVOICE", [901], [account.pk])
        request_documents("CREDIT_NOTE", [901], [account.pk])
        assert Document.objects.count() == 2

    def test_takes_one_statement_however_many(self, django_assert_num_queries):
        account = make_account()
        with django_assert_num_queries(1):
            request_documents("INVOICE", list(range(5000)), [account.pk] * 5000)
        assert Delivery.objects.count() == 5000

    def test_of_nothing_makes_nothing(self):
        request_documents("INVOICE", [], [])
        assert not Document.objects.exists()
