"""recognition: one certification result, and what every program of every department makes of it.

Owns: programs, state of enrolments, certificates and their revocation, recognitions, the usage log, partner clients and
the token issuer, certification runs, proposals and decisions, jobs, pay lists, payments, overpayments, the feed of
partner events, receipts, webhook subscriptions, corrections partners ask for.
Hears: scoring.assessments.changed, ingest.enrolments.changed, ingest.correction.changed, grid.visit.concluded,
grid.case.concluded, notify.message.delivered, notify.receipt.recorded, notify.endpoint.changed; and, apart from
the bulk that made them, its own certificates and decisions, to tell partners.
Says: recognition.certificates.issued, recognition.certificate.revoked, recognition.certifications.due,
recognition.partner_events.recorded, recognition.subscription.changed, recognition.correction.requested.
Answers: the partner API (programs, check, batch, jobs, payruns, events, receipts, subscriptions, certificates,
corrections), the citizen's and the officer's API, OAuth tokens.
"""
