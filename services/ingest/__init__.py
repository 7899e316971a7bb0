"""ingest: what 26 departments deliver, in the form in which they deliver it, becomes evidence.

Owns: the catalogue of sources, the vault (sealed ids, names, contacts), the roster of enrolments, batches, evidence
with its origin.
Hears: nothing from other services.
Says: ingest.evidence.accepted, ingest.enrolments.changed, ingest.contacts.changed, ingest.batch.completed.
Answers: uploads of files and rosters, single events, batches and their quarantine, sources, lineage, names for those
who must knock.
"""
