"""ingest: what 26 departments deliver, in the form in which they deliver it, becomes evidence.

Owns: the catalogue of sources, the vault (sealed ids, names, contacts), the roster of enrolments, batches, evidence
with its origin.
Hears: recognition.correction.requested and grid.case.concluded: a record is said to be wrong.
Says: ingest.evidence.accepted, ingest.evidence.corrected, ingest.hints.recorded, ingest.correction.changed,
ingest.enrolments.changed, ingest.second_places.changed, ingest.contacts.changed, ingest.batch.completed,
ingest.delivery.missed.
Answers: uploads of files and rosters, single events, batches and their quarantine, corrections, sources, lineage, names
for those who must knock.
"""
