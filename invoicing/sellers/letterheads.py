"""What stands at the top and foot of an invoice: the seller's printed details as they were when it was issued."""

import hashlib
import json
from typing import Any

from invoicing.sellers.addresses import printed_address
from invoicing.sellers.models import Letterhead, Seller


def current_letterhead(seller: Seller) -> Letterhead:
    """The letterhead of the seller's details as they are now; made if they have never been printed so."""
    details = _details(seller)
    logo = bytes(seller.logo) if seller.logo else None
    written = json.dumps([seller.pk, details], sort_keys=True, ensure_ascii=True).encode()
    digest = hashlib.sha256(written + b"\0" + (logo or b"")).hexdigest()
    found, _ = Letterhead.objects.get_or_create(
        digest=digest, defaults={"seller": seller, "details": details, "logo": logo}
    )
    return found


def _details(seller: Seller) -> dict[str, Any]:
    return {
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
