"""
The hand-computed book, in USD. All that is sold in it is the vendor Contoso's, who is owed 62.5 % of it.

Account A, under hosted-direct: 40.00 of January, due 31 January; 100.00 and 8.00 tax of February, due 28 February.
60.00 by card on 5 February with a fee of 0.60, of which 10.00 and 0.10 go back on the 9th; an ACH debit of 20.00 on
the 10th comes back on the 20th; a credit note of 5.00 on the 21st; a check of 30.00 on the 25th, of which 25.00 goes
to February. January's 40.00 goes to the agency on 2 March.

Account B, under per-seat: 7.00 brought over on 1 January; a deposit of 500.00 on 1 February, wired the next day.

Account P, prepaid: a check of 100.00 on 3 February becomes balance, of which 12.50 is used on the 4th.
"""

from decimal import Decimal
from typing import NamedTuple

from accounts.models import Account
from invoicing.catalog.models import Vendor
from invoicing.prepaid.models import PrepaidBalance
from tests.invoicing import factories as made
from tests.invoicing.reports.factories import booked, day, invoice, moved, paid, refunded, returned


class Book(NamedTuple):
    a: Account
    b: Account
    p: Account


def hand_book() -> Book:
    a = made.customer(name="Acme")
    mail = made.plan("mail", "10")
    mail.product.vendor = Vendor.objects.create(name="Contoso", share_percent=Decimal("62.5"))
    mail.product.save()
    january = invoice(a, "40", day(1, 1), day(31, 1), plan=mail)
    february = invoice(a, "100", day(1), day(28), plan=mail, tax="8")
    by_card = paid(a, "60", day(5), kind="CARD", fee="0.60", invoices={february.pk: "60"})
    refunded(by_card, "10", "0.10", day(9))
    returned(paid(a, "20", day(10), kind="ACH", invoices={february.pk: "20"}), day(20))
    invoice(a, "-5", day(21), day(21), plan=mail)
    paid(a, "30", day(25), reference="1042", invoices={february.pk: "25"})
    moved(a, f"placed:{january.pk}", "PLACEMENT", day(2, 3), january, COLLECTIONS="40", RECEIVABLE="-40")

    b = made.customer("per-seat", name="Beech", profile={"opening_balance": 7})
    booked(b, "opening:b", "OPENING", day(1, 1), RECEIVABLE="7", OPENING="-7")
    deposit = invoice(b, "500", day(1), day(1), kind="DEPOSIT")
    paid(b, "500", day(2), kind="WIRE", invoices={deposit.pk: "500"})

    p = made.customer("prepaid", name="Poplar")
    payment = paid(p, "100", day(3))
    moved(p, "top-up:1", "TOP_UP", day(3), None, payment, CUSTOMER_CREDIT="100", PREPAID_BALANCE="-100")
    booked(p, "usage:1", "USAGE", day(4), PREPAID_BALANCE="12.5", UNBILLED_USAGE="-12.5")
    PrepaidBalance.objects.create(account=p, currency="USD", balance="87.5")
    return Book(a, b, p)
