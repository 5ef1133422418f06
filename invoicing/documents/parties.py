"""Who writes and who is written to, as they are printed on a letter."""

from typing import Any

from accounts.models import Account
from invoicing.sellers.addresses import printed_address
from invoicing.sellers.letterheads import current_letterhead
from invoicing.sellers.models import Seller


def seller_of(seller: Seller) -> dict[str, Any]:
    """The seller as a letter keeps it; the logo stands in the letterhead, which never changes. One query."""
    return {
        "seller_id": seller.pk,
        "letterhead_id": current_letterhead(seller).pk,
        "name": seller.name,
        "address_lines": list(
            printed_address(seller.address_line, seller.city, seller.state, seller.postal_code, seller.country)
        ),
        "tax_ids": list(seller.tax_ids),
        "email": seller.email,
        "phone": seller.phone,
        "payment_instructions": seller.payment_instructions,
        "page_size": seller.page_size,
    }


def recipient_of(account: Account, *, home: str) -> dict[str, Any]:
    """The account as it is addressed; the country where it is not the seller's."""
    return {
        "name": account.name,
        "account_number": account.number,
        "lines": list(
            printed_address(
                account.address_line, account.city, account.state, account.postal_code, account.country, home=home
            )
        ),
    }
