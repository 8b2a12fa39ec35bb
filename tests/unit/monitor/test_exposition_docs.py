"""docs/prometheus.md has the names, alerts and figures that the code has."""

from pathlib import Path

import yaml

from sparkwell.monitor.exposition_series import Series, told_names

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "prometheus.md").read_text()
RULES = ROOT / "deploy" / "prometheus" / "sparkwell.rules.yml"


def row(name: str, series: Series) -> str:
    labels = ", ".join(f"`{label}`" for label in series.labels)
    return f"| `{name}` | {series.kind} | {labels} | {series.help} |"


def rows_below(heading: str) -> list[str]:
    """The rows of the table below a heading, without its head."""
    lines = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [line for line in lines if line.startswith("| `")]


def test_every_name_is_in_the_table_and_no_other() -> None:
    expected = [row(name, series) for name, series in told_names().items()]
    assert rows_below("Sparkwell's names") == expected


def test_every_alert_is_in_the_table_and_no_other() -> None:
    document = yaml.safe_load(RULES.read_text())
    alerts = {rule["alert"]: rule for group in document["groups"] for rule in group["rules"]}
    rows = {line.split("`")[1]: line for line in rows_below("Alerts")}
    assert list(rows) == list(alerts)
    for name, rule in alerts.items():
        assert f"| {rule.get('for', 'at once')} | {rule['labels']['severity']} |" in rows[name]
