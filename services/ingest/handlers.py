"""Events in: ingest hears nothing from other services; what it knows comes from departments."""

from shared.kit.bus import Subscription

SUBSCRIPTIONS: tuple[Subscription, ...] = ()
