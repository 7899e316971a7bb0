"""The outside world for demo and tests: it keeps what it was sent, and misbehaves on demand.

SMS gateways, partner systems, and a provider of face checks that signs what it is told to have seen. A client of the
platform like any provider: it never imports the services.
"""
