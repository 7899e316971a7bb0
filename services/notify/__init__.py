"""notify: everyone concerned is told once, truthfully, by a channel that reaches him.

Owns: contacts (sealed), people who must not be written to, preferences, templates, channels, messages, deliveries.
Hears: contacts changed, certificates issued and revoked, certifications due, suspicions raised, visits, cases and stop
requests concluded, deaths found false, batches completed, notices given, work waiting, partners' events and
subscriptions.
Says: `notify.message.delivered.v1`, the proof that someone was told, and `notify.message.failed.v1`, that he was tried;
`notify.receipt.recorded.v1` and `notify.endpoint.changed.v1`, how partners' systems hear.
Answers: the messages of a person with their delivery log, the inboxes of officers and departments, templates with
preview, channels, notices other services ask for, receipts of providers.
"""
