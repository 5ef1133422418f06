"""The sheets `products` and `prices`: each product gets one plan of its own code, and dated prices."""

from collections import defaultdict
from datetime import date
from typing import Any

from invoicing.book.changes import Id
from invoicing.book.desk import Desk, PlanAfter
from invoicing.book.parsing import Row
from invoicing.book.queries import Stored
from invoicing.book.sheets import UNSAID
from invoicing.catalog.models import Plan, Price, Product, Vendor

# The day from which a product's own row in the book is its price.
BEGINNING = date(2000, 1, 1)
FEES = ("setup_fee", "change_fee", "inactive_price", "deposit")
AMOUNTS = ("unit_price", *FEES)
_FREE = {"setup_fee": 0, "change_fee": 0, "inactive_price": None, "deposit": 0}


class CatalogPlanner:
    """Plans the two sheets; `said` keeps the amounts that product rows give, which later versions take over."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.catalog = desk.catalog
        self.said: dict[tuple[str, str], dict[str, Any]] = {}
        self.vendors: dict[str, Id] = dict(self.catalog.vendors)
        self.priced = self._priced_days()

    def _priced_days(self) -> dict[tuple[str, str], dict[date, Row]]:
        found: dict[tuple[str, str], dict[date, Row]] = defaultdict(dict)
        for row in self.desk.sound_rows("prices", key=self._price_key, column="valid_from_on"):
            found[row["product"], self._currency(row)][row["valid_from_on"]] = row
        return found

    def _price_key(self, row: Row) -> tuple[str, str, date]:
        return row["product"], self._currency(row), row["valid_from_on"]

    def _currency(self, row: Row) -> Any:
        currency = row["currency"]
        return self.desk.seller.currency if currency is UNSAID else currency

    def plan(self) -> None:
        for code, stored in self.catalog.plans.items():
            self.desk.plans[code] = PlanAfter(stored.id, stored.facts["charge"])
        for row in self.desk.rows["products"]:
            if not row.sound:
                self.desk.plans.setdefault(row["code"], None)
        for row in self.desk.sound_rows("products", key=lambda row: row["code"], column="code"):
            if self._is_sellable(row):
                self._plan_product(row)
            else:
                self.desk.plans.setdefault(row["code"], None)
        for (product, currency), by_day in self.priced.items():
            self._plan_versions(product, currency, by_day)

    def _is_sellable(self, row: Row) -> bool:
        code, currency = row["code"], self._currency(row)
        plan = self.catalog.plans.get(code)
        if plan and plan.facts["product"] != code:
            self.desk.wrong(
                "products", row, "code", f"{code} is a plan of {plan.facts['product']}.", "a code that is not taken."
            )
        if (
            plan
            and plan.facts["has_subscriptions"]
            and row["charge"] not in (UNSAID, "RECURRING", plan.facts["charge"])
        ):
            self.desk.wrong("products", row, "charge", f"There are subscriptions to {code}.", "recurring.")
        if (
            row["unit_price"] is UNSAID
            and not self.priced.get((code, currency))
            and (code, currency) not in self.catalog.prices
        ):
            right = f"an amount in {currency}, or a row for {code} in the sheet prices."
            self.desk.wrong("products", row, "unit_price", f"{code} has no price in {currency}.", right)
        return row.sound

    def _plan_product(self, row: Row) -> None:
        """Product, plan and first price stand in one row of the sheet, and are compared as one."""
        code, currency = row["code"], self._currency(row)
        product, plan = self.catalog.products.get(code), self.catalog.plans.get(code)
        base = self.catalog.prices.get((code, currency), {}).get(BEGINNING)
        stored: dict[str, Any] | None = None
        if product:
            stored = dict(product.values)
            if plan is None or plan.values["name"] != row["name"]:
                stored["name"] = plan.values["name"] if plan else ""
            stored |= self._stored_amounts(row, base)
        self.desk.tally("products", row, code, stored, row.values)
        after = self._write_product(row, product, plan)
        self.desk.plans[code] = after
        self._write_base(row, after.id, base)

    def _stored_amounts(self, row: Row, base: Stored | None) -> dict[str, Any]:
        if not self._gives_base(row, base):
            return {}
        return {name: base.values[name] if base else None for name in AMOUNTS}

    def _gives_base(self, row: Row, base: Stored | None) -> bool:
        """Whether the row's amounts are those of the first version: not where only the sheet prices gives any."""
        if row["unit_price"] is not UNSAID:
            return True
        return base is not None and BEGINNING not in self.priced.get((row["code"], self._currency(row)), {})

    def _write_product(self, row: Row, product: Stored | None, plan: Stored | None) -> PlanAfter:
        was = (
            product.values if product else {"charge": "RECURRING", "tax_category": "", "licensed": False, "vendor": ""}
        )
        now = {
            name: was[name] if row[name] is UNSAID else row[name]
            for name in ("charge", "tax_category", "licensed", "vendor")
        } | {"name": row["name"]}
        columns = {**now, "vendor_id": self._vendor(now["vendor"])}
        del columns["vendor"]
        writes = self.desk.writes
        product_id: Id
        if product is None:
            product_id = writes.insert(Product, code=row["code"], unit="", **columns)
        else:
            product_id = product.id
            if any(product.values[name] != value for name, value in now.items()):
                writes.update(Product, product.id, **columns)
        if plan is None:
            return PlanAfter(
                writes.insert(Plan, product_id=product_id, code=row["code"], name=row["name"]), now["charge"]
            )
        if plan.values["name"] != row["name"]:
            writes.update(Plan, plan.id, name=row["name"])
        return PlanAfter(plan.id, now["charge"])

    def _vendor(self, name: str) -> Id | None:
        if not name:
            return None
        if name not in self.vendors:
            self.vendors[name] = self.desk.writes.insert(Vendor, name=name, share_percent=100, terms_url="")
        return self.vendors[name]

    def _write_base(self, row: Row, plan_id: Id, base: Stored | None) -> None:
        was = base.values if base else _FREE
        amounts = {name: was.get(name) if row[name] is UNSAID else row[name] for name in AMOUNTS}
        currency = self._currency(row)
        gives_base = self._gives_base(row, base)
        self.said[row["code"], currency] = amounts if gives_base else {**amounts, "unit_price": None}
        if gives_base:
            self._write_version(plan_id, currency, BEGINNING, base, amounts)

    def _write_version(
        self, plan_id: Id, currency: str, day: date, stored: Stored | None, amounts: dict[str, Any]
    ) -> None:
        if stored is None:
            self.desk.writes.insert(Price, plan_id=plan_id, currency=currency, valid_from_on=day, **amounts)
        elif any(stored.values[name] != value for name, value in amounts.items()):
            self.desk.writes.update(Price, stored.id, **amounts)

    def _plan_versions(self, product: str, currency: str, by_day: dict[date, Row]) -> None:
        """
        Versions in order of their days: a new one takes over the fees of the version before it.

        As long as all of them are the book's own, the fees of the product's row hold for the stored ones as well.
        """
        stored = self.catalog.prices.get((product, currency), {})
        amounts = self.said.get((product, currency), _FREE)
        from_book = (product, currency) in self.said
        for day in sorted({*stored, *by_day}):
            row = by_day.get(day)
            if row is None:
                if day != BEGINNING or not from_book:
                    amounts, from_book = stored[day].values, False
                continue
            if day == BEGINNING and from_book and self._is_the_products(row, amounts):
                continue
            fees = stored[day].values if day in stored and not from_book else amounts
            amounts = {name: fees[name] for name in FEES} | {"unit_price": row["unit_price"]}
            if plan := self.desk.plan_of("prices", row):
                said = {"product": product, "currency": currency, "valid_from_on": day, **amounts}
                was = stored[day].values if day in stored else None
                self.desk.tally("prices", row, f"{product} {currency} {day}", was, said)
                self._write_version(plan.id, currency, day, stored.get(day), amounts)

    def _is_the_products(self, row: Row, amounts: dict[str, Any]) -> bool:
        """Whether the product's row gives the first version already; another price there contradicts it."""
        if amounts["unit_price"] is None:
            return False
        if amounts["unit_price"] != row["unit_price"]:
            wrong = f"{self.desk.file('products')} gives {row['product']} another price from {BEGINNING}."
            self.desk.wrong("prices", row, "unit_price", wrong, f"{amounts['unit_price']}, or a later day.")
        else:
            self.desk.plans_of_sheets["prices"].unchanged += 1
        return True
