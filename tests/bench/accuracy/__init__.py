"""How right the rules are: a synthetic city replayed through scoring's own rules and held against its truth.

Offline: the city's accepted records go straight into `services.scoring.domain`, delivery by delivery, so that a year of
three cities takes seconds. That ingest accepts exactly these records is proved elsewhere (the ledger story in
`tests/flows`). ADR 0015 says why this is a bench and not a command.
"""

TUNING_SEEDS = tuple(range(11, 19))
"""Cities that rules and priorities may be chosen on; the baseline that learns is fitted on the first."""
TEST_SEEDS = (101, 102, 103)
"""Cities that nobody may look at while choosing: tests and the report use these alone."""
SCALE = 0.01
