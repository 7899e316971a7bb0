"""The gateway as a child process, with the Caddyfile of deploy/gateway."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.probes import answers
from deploy.local.processes import ChildSpec
from deploy.local.programs import DEPLOY, beside_python

NAME = "gateway"


def spec(folder: Path, *, host: str, port: int, upstreams: Mapping[str, Sequence[int]]) -> ChildSpec:
    """Caddy in front of the services; `upstreams` are the ports of each service's processes."""
    told = {
        f"WUGAN_{service.upper()}_UPSTREAMS": " ".join(f"{host}:{each}" for each in ports)
        for service, ports in upstreams.items()
    }
    return ChildSpec(
        name=NAME,
        argv=(
            beside_python("caddy"),
            "run",
            *("--config", str(DEPLOY / "gateway" / "Caddyfile")),
            *("--adapter", "caddyfile"),
        ),
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("WUGAN_")},
            **told,
            "WUGAN_GATEWAY_HOST": host,
            "WUGAN_GATEWAY_ADDRESS": f":{port}",
            # Its own files stay in the data folder, not in somebody's home.
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "HOME": str(folder),
        },
        cwd=folder,
        ready=lambda: answers(host, port, "/livez"),
        stop_seconds=8.0,
    )
