"""recognition: one certification result, and what every program of every department makes of it.

Owns: programs, state of enrolments, certificates and their revocation, recognitions, the usage log, partner clients and
the token issuer, certification runs and cycles, grace, proposals and decisions, notices and their proofs, objections,
second places of people whom a program lists twice, jobs, pay lists, payments, overpayments, requests of citizens,
self-certifications by face, the feed of partner events, receipts, webhook subscriptions, corrections.
Hears: scoring.assessments.changed, ingest.enrolments.changed, ingest.second_places.changed, ingest.evidence.corrected,
ingest.correction.changed, grid.visit.concluded, .withdrawn, grid.tasks.opened, grid.case.concluded, grid.report.locked,
grid.stop_request.concluded, notify.message.delivered, notify.message.failed, notify.receipt.recorded,
notify.endpoint.changed; and, apart from the bulk that made them, its own certificates and decisions, to tell partners.
Says: recognition.certificates.issued, recognition.certificate.revoked, recognition.certifications.due,
recognition.notice.given, recognition.enrolment.suspended, .resumed, .terminated, recognition.overpayment.changed,
recognition.partner_events.recorded, recognition.subscription.changed, recognition.correction.requested,
recognition.visit.requested, recognition.stop.requested, recognition.work.waiting, recognition.death.retracted.
Answers: the partner API (programs, check, batch, jobs, payruns, events, receipts, subscriptions, certificates,
corrections), the citizen's and the officer's API, OAuth tokens.
"""
