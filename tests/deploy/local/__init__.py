"""Tests of the local stack, against real servers and a service that does nothing."""
