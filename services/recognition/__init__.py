"""recognition: one certification result, and what every program of every department makes of it.

Owns: programs, state of enrolments, certificates and their revocation, recognitions, the usage log, partner clients and
the token issuer, certification runs, proposals and decisions, payments, overpayments.
Hears: scoring.assessments.changed, ingest.enrolments.changed, grid.visit.concluded, grid.case.concluded,
notify.message.delivered.
Says: recognition.certificates.issued, recognition.certificate.revoked, recognition.certifications.due.
Answers: the partner API (programs, check, batch), the citizen's and the officer's API, OAuth tokens.
"""
