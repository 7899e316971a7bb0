"""NATS JetStream behind one door: nothing outside this package imports nats."""

from shared.kit.bus.connection import Bus, BusFullError
from shared.kit.bus.consumer import Consumers, Message, PoisonError, Subscription

__all__ = ["Bus", "BusFullError", "Consumers", "Message", "PoisonError", "Subscription"]
