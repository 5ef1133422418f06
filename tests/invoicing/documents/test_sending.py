"""Mails over a real SMTP server: each once, and what may have gone out is left to a person."""

import io
import logging
import smtplib
from datetime import timedelta

import pytest
from django.core.mail.backends.smtp import EmailBackend
from pypdf import PdfReader

from invoicing.documents.models import Delivery
from invoicing.documents.sending import INTERRUPTED, Sending, send_pending
from tests.invoicing.documents.factories import (
    NOW,
    deliveries_of,
    drawn,
    due_mails,
    line,
    make_account,
    make_invoice,
    make_seller,
    requested,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet():
    """aiosmtpd tells a broken connection as it is meant to be here."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)


class TestSendPending:
    def test_brings_text_html_and_the_pdf(self, mail_server):
        invoice = make_invoice(make_account(invoice_emails=["ap@customer.example"], name="Häuser & Söhne <b>"))
        (delivery,) = deliveries_of(drawn(invoice))

        assert send_pending(limit=10, now=NOW) == Sending(sent=1)

        (mail,) = mail_server.handler.mails
        assert mail["To"] == "ap@customer.example"
        assert mail["From"] == "Northwind Telecom LLC <billing@northwind.example>"
        assert mail["Subject"] == f"Invoice {invoice.number} from Northwind Telecom LLC: USD 37.90"
        assert mail["Message-ID"] == f"<delivery.{delivery.pk}.1@northwind.example>"
        text, html = (mail.get_body([kind]).get_content() for kind in ("plain", "html"))
        for told in (invoice.number, "USD 37.90", "31 December 2026", "Routing 021000021"):
            assert told in text
            assert told in html
        assert "Häuser & Söhne <b>" in text
        assert "Häuser &amp; Söhne &lt;b&gt;" in html
        (pdf,) = mail.iter_attachments()
        assert (pdf.get_content_type(), pdf.get_filename()) == ("application/pdf", f"{invoice.number}.pdf")
        assert invoice.number in PdfReader(io.BytesIO(pdf.get_content())).pages[0].extract_text()

    def test_brings_a_credit_note(self, mail_server):
        invoice = make_invoice()
        credit = make_invoice(invoice.account, [line("-37.90")], corrects=invoice, reason="Ended before the 1st.")
        drawn(credit)
        send_pending(limit=10, now=NOW)
        (mail,) = mail_server.handler.mails
        assert mail["Subject"] == f"Credit note {credit.number} from Northwind Telecom LLC: USD 37.90"
        text = mail.get_body(["plain"]).get_content()
        assert f"Corrects:    invoice {invoice.number}" in text
        assert "Ended before the 1st." in text

    def test_keeps_when_and_under_which_id_it_was_sent(self, mail_server):
        (delivery,) = due_mails("ap")
        send_pending(limit=10, now=NOW)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.sent_at, delivery.attempts, delivery.error) == ("SENT", NOW, 1, "")
        assert delivery.message_id == mail_server.handler.mails[0]["Message-ID"]

    def test_sends_nothing_more_the_second_time(self, mail_server):
        due_mails("ap", "cfo")
        send_pending(limit=10, now=NOW)
        assert send_pending(limit=10, now=NOW + timedelta(days=1)) == Sending()
        assert len(mail_server.handler.mails) == 2

    def test_uses_one_connection_for_all(self, mail_server):
        due_mails("one", "refused", "two", "later", "full", "three")
        assert send_pending(limit=10, now=NOW) == Sending(sent=3, waiting=1, parked=2)
        assert mail_server.handler.connections == 1

    def test_waits_for_the_document_to_be_drawn(self, mail_server):
        requested(make_invoice())
        assert send_pending(limit=10, now=NOW) == Sending()

    def test_keeps_to_its_limit(self, mail_server):
        due_mails("one", "two", "three")
        assert [send_pending(limit=2, now=NOW).sent for _ in range(3)] == [2, 1, 0]

    def test_reads_rows_once_for_many(self, mail_server, django_assert_num_queries):
        due_mails("one")
        # The interrupted; four to claim, five to read, three to mark and one to record; three to find no more.
        with django_assert_num_queries(17):
            send_pending(limit=5, now=NOW)
        due_mails("one", "two", "three")
        with django_assert_num_queries(17 + 2 * 4):
            assert send_pending(limit=5, now=NOW).sent == 3

    def test_does_not_let_a_sellers_name_end_the_subject(self, mail_server):
        seller = make_seller()
        seller.name = "North\r\nBcc: everybody@customer.example"
        seller.save()
        drawn(make_invoice(seller=seller))
        send_pending(limit=1, now=NOW)
        (mail,) = mail_server.handler.mails
        assert mail["Bcc"] is None
        assert "from North Bcc: everybody@customer.example: USD" in mail["Subject"]

    def test_writes_files_where_there_is_no_server(self, settings, tmp_path):
        settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
        settings.EMAIL_FILE_PATH = tmp_path / "mail"
        due_mails("ap")
        assert send_pending(limit=10, now=NOW) == Sending(sent=1)
        (written,) = (tmp_path / "mail").iterdir()
        assert b"To: ap@customer.example" in written.read_bytes()


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("refused", "The mail server said: 550 5.1.1 There is nobody of that name"),
            ("full", "The mail server said: 552 5.2.2 The mailbox is full"),
        ],
    )
    def test_park_that_delivery_only_with_the_servers_words(self, mail_server, name, words):
        deliveries = due_mails("one", name, "two")
        assert send_pending(limit=10, now=NOW) == Sending(sent=2, parked=1)
        deliveries[1].refresh_from_db()
        assert (deliveries[1].state, deliveries[1].error) == ("PARKED", words)
        assert send_pending(limit=10, now=NOW + timedelta(days=9)) == Sending()

    @pytest.mark.parametrize(
        "address",
        [
            "ap@customer.example\nBcc: all@customer.example",
            "ap",
            "a b@customer.example",
            "ap@customer.example,x@y.example",
        ],
    )
    def test_park_what_is_no_address_before_the_server_hears_of_it(self, mail_server, address):
        deliveries = due_mails("one", "two")
        Delivery.objects.filter(pk=deliveries[0].pk).update(address=address)
        assert send_pending(limit=10, now=NOW) == Sending(sent=1, parked=1)
        deliveries[0].refresh_from_db()
        assert deliveries[0].state == "PARKED"
        assert deliveries[0].error.startswith("No mail can be sent to this address: ")
        assert mail_server.handler.recipients() == ["two@customer.example"]

    def test_park_a_delivery_whose_document_is_no_longer_what_it_was(self, mail_server, documents_root):
        deliveries = due_mails("one", "two")
        document = deliveries[0].document
        (documents_root / document.path).unlink()
        document.sha256 = "0" * 64
        document.save()
        assert send_pending(limit=10, now=NOW) == Sending(sent=1, parked=1)


class TestPuttingOff:
    def test_waits_longer_each_time_and_then_parks(self, mail_server):
        (delivery,) = due_mails("later")
        now, waits = NOW, []
        while send_pending(limit=10, now=now).waiting:
            delivery.refresh_from_db()
            waits.append(delivery.next_attempt_at - now)
            now = delivery.next_attempt_at
            assert send_pending(limit=10, now=now - timedelta(seconds=1)) == Sending()
        delivery.refresh_from_db()
        assert waits == [timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=12)]
        assert (delivery.state, delivery.attempts) == ("PARKED", 5)
        assert delivery.error == "The mail server said: 451 4.7.1 Greylisted, come again"

    def test_a_server_that_is_down_puts_all_off_and_counts_no_attempt(self, mail_server):
        deliveries = due_mails("one", "two")
        mail_server.stop()
        assert send_pending(limit=10, now=NOW) == Sending(waiting=2)
        for delivery in deliveries:
            delivery.refresh_from_db()
            assert (delivery.state, delivery.attempts) == ("PENDING", 0)
            assert delivery.next_attempt_at == NOW + timedelta(minutes=5)
            assert delivery.error.startswith("The mail server could not be reached: ")

    def test_a_server_that_goes_away_in_the_middle_loses_nothing(self, mail_server):
        deliveries = due_mails("one", "two", "three")
        backends = iter([None])

        def open_once(backend, opened=EmailBackend.open):
            if backend.connection is None and next(backends, "down") == "down":
                raise ConnectionRefusedError(111, "Connection refused")
            return opened(backend)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EmailBackend, "open", open_once)
            Delivery.objects.filter(pk=deliveries[1].pk).update(address="hangs-up@customer.example")
            assert send_pending(limit=10, now=NOW) == Sending(sent=1, waiting=2)
        states = Delivery.objects.order_by("id").values_list("state", "attempts")
        assert list(states) == [("SENT", 1), ("PENDING", 0), ("PENDING", 0)]

        Delivery.objects.filter(pk=deliveries[1].pk).update(address="two@customer.example")
        assert send_pending(limit=10, now=NOW + timedelta(minutes=5)) == Sending(sent=2)

    def test_a_connection_that_breaks_before_the_data_is_tried_again_later(self, mail_server):
        deliveries = due_mails("one", "hangs-up", "two")
        assert send_pending(limit=10, now=NOW) == Sending(sent=2, waiting=1)
        deliveries[1].refresh_from_db()
        assert (deliveries[1].state, deliveries[1].attempts) == ("PENDING", 1)
        assert deliveries[1].error.startswith("The mail server hung up: ")


class TestUncertainty:
    """Waldur's second mail: a mail whose outcome nobody knows is not sent again by itself."""

    def test_a_connection_that_breaks_after_the_data_leaves_it_uncertain(self, mail_server):
        deliveries = due_mails("one", "lost", "two")
        assert send_pending(limit=10, now=NOW) == Sending(sent=2, uncertain=1)
        deliveries[1].refresh_from_db()
        assert deliveries[1].state == "UNCERTAIN"
        assert deliveries[1].error.startswith("The connection broke when the server had the mail: ")

        send_pending(limit=10, now=NOW + timedelta(days=9))
        assert mail_server.handler.recipients().count("lost@customer.example") == 1

    def test_waldurs_second_mail_a_worker_that_died_after_sending_sends_it_no_second_time(self, mail_server):
        deliveries = due_mails("one", "two")

        class Killed(BaseException):
            """As kill -9: nothing after it runs."""

        def killed():
            raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("invoicing.documents.sending._record", lambda *_: killed())
            with pytest.raises(Killed):
                send_pending(limit=10, now=NOW)
        assert mail_server.handler.recipients() == ["one@customer.example"]
        assert [self.state_of(delivery) for delivery in deliveries] == ["SENDING", "PENDING"]

        assert send_pending(limit=10, now=NOW + timedelta(minutes=14)) == Sending()
        assert send_pending(limit=10, now=NOW + timedelta(minutes=15)) == Sending(sent=1, uncertain=1)
        assert [self.state_of(delivery) for delivery in deliveries] == ["UNCERTAIN", "SENT"]
        assert Delivery.objects.get(state="UNCERTAIN").error == INTERRUPTED
        assert mail_server.handler.recipients() == ["one@customer.example", "two@customer.example"]

    def test_an_answer_that_comes_late_settles_it(self, mail_server):
        """The lease ran out while the server took its time; another worker gave the delivery up meanwhile."""
        due_mails("one")
        server_has_it = mail_server.handler.mails
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(smtplib.SMTP, "rset", lambda self: None)
            sendmail = smtplib.SMTP.sendmail

            def slow(self, *args, **named):
                result = sendmail(self, *args, **named)
                send_pending(limit=10, now=NOW + timedelta(hours=1))
                assert Delivery.objects.get().state == "UNCERTAIN"
                return result

            patch.setattr(smtplib.SMTP, "sendmail", slow)
            assert send_pending(limit=10, now=NOW) == Sending(sent=1)
        assert Delivery.objects.get().state == "SENT"
        assert len(server_has_it) == 1

    def state_of(self, delivery: Delivery) -> str:
        delivery.refresh_from_db()
        return delivery.state
