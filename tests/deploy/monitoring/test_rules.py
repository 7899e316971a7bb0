"""Rules and dashboard name only metrics that are there, and every alert has its page in the runbook."""

import json
import re
from importlib import import_module

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

from deploy.local.clients import SERVICES
from deploy.local.programs import DEPLOY, ROOT
from deploy.monitoring.endings import ENDS, UNREAD
from deploy.monitoring.exporter import Figures
from deploy.monitoring.notes import FIGURES

RULES = yaml.load((DEPLOY / "monitoring/prometheus/rules.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)
DASHBOARD = json.loads((DEPLOY / "monitoring/grafana/wugan.json").read_text(encoding="utf-8"))
EVERY = [rule for group in RULES["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in EVERY if "alert" in rule]
PANELS = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
WORDS = {
    "sum", "max", "min", "by", "on", "rate", "delta", "histogram_quantile", "offset", "and", "or", "unless", "without",
    "min_over_time", "max_over_time", "absent", "time", "d", "m", "h",
}  # fmt: skip
# Said by Prometheus itself, by the client library where /proc is, and in a cluster by kube-state-metrics and CloudNativePG.
OTHERS = {
    "up": {"job"},
    "process_resident_memory_bytes": set(),
    "kube_cronjob_status_last_successful_time": {"cronjob"},
    "cnpg_pg_stat_archiver_seconds_since_last_archival": set(),
    "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp": set(),
}


def names_and_labels(expression: str) -> tuple[set[str], dict[str, set[str]]]:
    """Metrics of a PromQL expression, and the labels it picks or groups each by."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    picked: dict[str, set[str]] = {}
    for name, inside in re.findall(r"([a-z_:]+)\{([^}]*)\}", bare):
        picked.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!~]+", inside))
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without)\s*\([^)]*\)", " ", bare)
    return {name for name in re.findall(r"[a-z_:][a-z0-9_:]*", bare) if name not in WORDS}, picked


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Every metric of the services and the exporter, with its labels."""
    for service in SERVICES:
        import_module(f"services.{service}.app")
    registry = CollectorRegistry()
    Figures(registry)
    found: dict[str, set[str]] = {**OTHERS, ENDS: {"certificate"}, UNREAD: set(), **{name: set() for name in FIGURES}}
    for each in (REGISTRY, registry):
        for collector, names in each._collector_to_names.items():
            labels = set(getattr(collector, "_labelnames", ()))
            found |= dict.fromkeys(names, labels)
    return found


@pytest.mark.parametrize(
    ("where", "expression"), [(rule.get("alert") or rule["record"], rule["expr"]) for rule in EVERY] + PANELS
)
def test_only_metrics_that_are_there_are_named(known, where, expression):
    recorded = {rule["record"] for rule in EVERY if "record" in rule}
    names, picked = names_and_labels(expression)
    assert names, where
    assert names <= set(known) | recorded, where
    for name, labels in picked.items():
        # Prometheus adds which target said it.
        assert labels <= known.get(name, set()) | {"job", "instance", "service", "le"}, where
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)


def test_a_metric_that_is_not_there_would_be_seen(known):
    names, _ = names_and_labels('sum by (x) (rate(nobody_says_this_total{a="b"}[5m])) > 3')
    assert names == {"nobody_says_this_total"}
    assert not names <= set(known)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_every_alert_says_how_bad_it_is_and_what_to_do(alert):
    assert alert["labels"]["severity"] in {"page", "morning"}
    assert re.fullmatch(r"\d+[mh]", alert["for"])
    assert alert["annotations"]["summary"]
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    text = (ROOT / page).read_text(encoding="utf-8")
    assert anchor == alert["alert"].lower()
    section = re.search(rf"^### {alert['alert']}\n(.+?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"{page} has no section {alert['alert']}"
    assert len(section[1]) > 100


@pytest.mark.parametrize(
    "metric",
    ["outbox_oldest_age_seconds", "bus_consumer_pending", "bus_consumer_unacknowledged", "dead_letters_waiting"],
)
def test_wherever_messages_stand_still_somebody_is_woken(metric):
    assert any(metric in alert["expr"] and alert["labels"]["severity"] == "page" for alert in ALERTS)


def test_a_second_process_changes_nothing_that_is_told_of_a_source_or_by_the_exporter():
    for where, expression in [(rule.get("alert"), rule["expr"]) for rule in EVERY] + PANELS:
        for name in re.findall(r"ingest_source_\w+", expression):
            assert re.search(rf"(max|min) by \(source\) \({name}\)", expression), where
        assert not re.search(r"wugan_figure\b", re.sub(r"max( by \(\w+\) )?\(wugan_figure\{", "", expression)), where


@pytest.mark.parametrize("alert", ["FiguresMissing", "ReconcileFailed", "ArchiverStopped", "BackupStale"])
def test_who_has_died_is_missed(alert):
    (expression,) = [each["expr"] for each in ALERTS if each["alert"] == alert]
    # What is absent bears the labels it was asked by; two that bear different ones meet only where none is compared.
    pairs = re.findall(r"absent\(\w+(\{.*?\})?\)\s+and (on\(\) )?absent\(\w+(\{.*?\})?\)", expression)
    assert len(re.findall(r"absent\(", expression)) == max(1, 2 * len(pairs))
    assert all(left == right or on for left, on, right in pairs)


def test_the_runbook_knows_no_alert_that_is_not_there():
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    runbook = text.split("\n## Runbook", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^### (\w+)$", runbook, re.MULTILINE)) == {alert["alert"] for alert in ALERTS}


def test_the_dashboard_shows_the_figures_that_matter():
    titles = {title for title, _ in PANELS}
    assert {
        "Certified share", "Oldest outbox row", "Consumer lag", "Silent sources", "Parked messages", "Unacknowledged revocations",
    } <= titles  # fmt: skip
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_prometheus_looks_at_every_service():
    config = yaml.load((DEPLOY / "monitoring/prometheus/prometheus.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    services, _ = config["scrape_configs"]
    assert {each["labels"]["service"] for each in services["static_configs"]} == set(SERVICES)
    assert config["rule_files"] == ["rules.yml"]
