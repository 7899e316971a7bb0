"""The outside world for demo and tests: an SMS gateway that keeps what it was sent and misbehaves on demand.

A client of the platform like any provider: it never imports the services.
"""
