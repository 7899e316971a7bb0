"""`python -m services.<name> serve | migrate`: the command line of every service process."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import uvicorn
from pydantic import ValidationError

from shared.kit import migrations
from shared.kit.app import Service, create_app
from shared.kit.settings import KitSettings
from shared.kit.telemetry import configure_logging


def main(service: Service, argv: Sequence[str] | None = None) -> int:
    """Run one command of `service`; returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service.name}")
    parser.add_argument("command", choices=("serve", "migrate"))
    command = parser.parse_args(argv).command
    try:
        settings = service.settings()
    except ValidationError as error:
        # Values stay out of it: a setting may be a key.
        places = "; ".join(f"WUGAN_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        sys.stderr.write(f"{service.name}: settings are not usable: {places}\n")
        return 2
    configure_logging(service.name, settings.log_level)
    if command == "migrate":
        asyncio.run(migrations.upgrade(service.name, settings.database_url.get_secret_value()))
        return 0
    return serve(service, settings)


def serve(service: Service, settings: KitSettings) -> int:
    """Serve until SIGTERM or SIGINT, then finish what is in hand."""
    config = uvicorn.Config(
        create_app(service, settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # longer than a load balancer's sixty, else it reuses a closed connection
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1
