"""When certificates end, by the files their servers were given: on that day bus, database and gateway would stop."""

from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

ENDS = "wugan_certificate_ends_timestamp_seconds"
UNREAD = "wugan_certificates_unread"


class Endings(Collector):
    """The certificates (`*.crt`) in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[GaugeMetricFamily]:  # type: ignore[explicit-override]  # typing knows it from 3.12 on
        """The end of each, of several in a file the first; and how many cannot be read, where there is none one."""
        found = GaugeMetricFamily(ENDS, "When the certificate ends", labels=["certificate"])
        files = sorted(self._folder.glob("*.crt"))
        unread = 0 if files else 1
        for path in files:
            try:
                several = x509.load_pem_x509_certificates(path.read_bytes())
            except (OSError, ValueError):
                unread += 1
            else:
                found.add_metric([path.stem], min(each.not_valid_after_utc.timestamp() for each in several))
        yield found
        yield GaugeMetricFamily(UNREAD, "Certificates whose end nobody is told", value=unread)
