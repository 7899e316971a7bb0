"""The outside world for demo and tests: SMS gateways and partner systems that keep what they were sent and misbehave.

A client of the platform like any provider: it never imports the services.
"""
