"""NATS JetStream behind one door: nothing outside this package imports nats."""

from shared.kit.bus.connection import Bus, BusFullError, ConsumerState, NoStreamError
from shared.kit.bus.consumer import Consumers, Subscription
from shared.kit.bus.message import Message, PoisonError
from shared.kit.bus.safety import UnsafeBusError, prove_synced

__all__ = [
    "Bus",
    "BusFullError",
    "ConsumerState",
    "Consumers",
    "Message",
    "NoStreamError",
    "PoisonError",
    "Subscription",
    "UnsafeBusError",
    "prove_synced",
]
