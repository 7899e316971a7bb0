"""The language between services: vocabulary and events. No I/O, no plumbing, nothing that decides."""
