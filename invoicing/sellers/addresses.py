"""Addresses as they stand on paper."""


def printed_address(
    address_line: str, city: str, state: str, postal_code: str, country: str, *, home: str = "US"
) -> tuple[str, ...]:
    """An address as it stands on paper: `New York, NY 10005`; the country where it is not the one at home."""
    region = " ".join(part for part in (state, postal_code) if part)
    place = ", ".join(part for part in (city, region) if part)
    return tuple(line for line in (address_line, place, "" if country == home else country) if line)
