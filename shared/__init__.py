"""What the services share: contracts (the language between them) and kit (plumbing without business words)."""
