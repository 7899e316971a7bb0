"""`python -m services.<name> serve [--migrate] | migrate`: the command line of every service process."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module


def main(name: str, argv: Sequence[str] | None = None) -> int:
    """Run one command of the service `name`; returns the exit code."""
    # What is made while loading stays for good: collecting in between costs an eighth of the start and finds nothing.
    # So this module itself loads nothing but the standard library.
    gc.disable()
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}")
    parser.add_argument("command", choices=("serve", "migrate"))
    parser.add_argument("--migrate", action="store_true", help="serve after bringing the schema up to date")
    asked = parser.parse_args(argv)
    if (asked.command == "migrate" or asked.migrate) and (failed := migrate(name)):
        return failed
    return serve(name) if asked.command == "serve" else 0


def migrate(name: str) -> int:
    """Bring the schema of a service up to date; loads its tables only, not the application."""
    url = os.environ.get("WUGAN_DATABASE_URL")
    if not url:
        sys.stderr.write(f"{name}: WUGAN_DATABASE_URL is not set\n")
        return 2
    from shared.kit import migrations, telemetry  # noqa: PLC0415  (alembic is loaded only where it is asked for)

    telemetry.configure_logging(name, os.environ.get("WUGAN_LOG_LEVEL", "INFO"))
    asyncio.run(migrations.upgrade(name, url))
    return 0


def serve(name: str) -> int:
    """Serve until SIGTERM or SIGINT, then finish what is in hand."""
    # Loaded here: a migration needs neither the web framework nor the service's own rooms.
    import uvicorn  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415

    from shared.kit.app import Service, create_app  # noqa: PLC0415
    from shared.kit.telemetry import configure_logging  # noqa: PLC0415

    service: Service = import_module(f"services.{name}.app").SERVICE
    try:
        settings = service.settings()
    except ValidationError as error:
        # Values stay out of it: a setting may be a key.
        places = "; ".join(f"WUGAN_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors())
        sys.stderr.write(f"{name}: settings are not usable: {places}\n")
        return 2
    configure_logging(name, settings.log_level)
    config = uvicorn.Config(
        create_app(service, settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the peer is the peer: whose Client-Cert header is believed depends on it
        timeout_keep_alive=75,  # longer than a load balancer's sixty, else it reuses a closed connection
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = uvicorn.Server(config)
    gc.freeze()
    # A message is thousands of rows: looked through every 700 objects, an eighth of the work was to find no garbage.
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
    server.run()
    return 0 if server.started else 1
