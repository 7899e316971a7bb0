"""When certificates end, by the files their servers were given: on that day bus, database and gateway would stop."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

ENDS = "wugan_certificate_ends_timestamp_seconds"


class Endings(Collector):
    """The certificates (`*.crt`) in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[GaugeMetricFamily]:  # type: ignore[explicit-override]  # typing knows it from 3.12 on
        """The end of each; of several in a file the first. One that cannot be read is left out."""
        found = GaugeMetricFamily(ENDS, "When the certificate ends", labels=["certificate"])
        for path in sorted(self._folder.glob("*.crt")):
            with contextlib.suppress(OSError, ValueError):
                several = x509.load_pem_x509_certificates(path.read_bytes())
                found.add_metric([path.stem], min(each.not_valid_after_utc.timestamp() for each in several))
        yield found
