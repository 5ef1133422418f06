"""Every report by its name, in the order of the navigation."""

from collections.abc import Mapping

from invoicing.reports.cash import CARD_FEES, CASH
from invoicing.reports.holdings import DEPOSITS, PREPAID, UNALLOCATED
from invoicing.reports.receivables import RECEIVABLES
from invoicing.reports.report import Report
from invoicing.reports.sales import REVENUE, TAX
from invoicing.reports.vendors import VENDORS

REPORTS: Mapping[str, Report] = {
    report.name: report
    for report in (RECEIVABLES, CASH, REVENUE, TAX, DEPOSITS, PREPAID, CARD_FEES, UNALLOCATED, VENDORS)
}
