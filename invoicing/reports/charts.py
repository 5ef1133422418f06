"""Charts as the console's script draws them: plain values, for the policy allows no code in a page."""

import json
import textwrap

from invoicing.reports.report import Chart

# Each keeps 3 to 1 against white and against the dark ground, and differs from its neighbours in lightness too.
COLOURS = ("#2563eb", "#d97706", "#059669", "#a855f7", "#dc2626", "#64748b", "#0891b2", "#ca8a04")
TICKS = {"color": "#6b7280"}


# A longer label is set in lines, that it need not lean.
LINE = 14


def _lines(label: str) -> str | list[str]:
    return label if len(label) <= LINE else textwrap.wrap(label, LINE)


def drawn(chart: Chart) -> dict[str, str]:
    """Data and options. A chart draws, it does not count: the amounts in the table below it are the exact ones."""
    several = len(chart.series) > 1
    datasets = [
        {
            "label": name,
            "data": [float(amount) for amount in amounts],
            "backgroundColor": COLOURS[number % len(COLOURS)],
            "maxBarThickness": 48,
        }
        for number, (name, amounts) in enumerate(chart.series.items())
    ]
    legend = {"display": several, "position": "bottom", "labels": {"boxWidth": 12, **TICKS}}
    options = {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "plugins": {"legend": legend},
        "scales": {
            "x": {"stacked": several, "grid": {"display": False}, "ticks": TICKS},
            "y": {"stacked": several, "beginAtZero": True, "border": {"display": False}, "grid": {}, "ticks": TICKS},
        },
    }
    return {
        "value": json.dumps({"labels": [_lines(label) for label in chart.labels], "datasets": datasets}),
        "options": json.dumps(options),
        "says": chart.says,
    }
