"""scoring: who is certified without noticing, who may have lost the benefit, and why.

Owns     rule sets (dated files), signals, assessments, suspicions, reassessments.
Hears    ingest.evidence.accepted, ingest.evidence.corrected, ingest.hints.recorded, grid.case.concluded,
         grid.stop_request.concluded, recognition.death.retracted.
Says     scoring.assessments.changed, scoring.suspicion.raised.
Answers  assessments and their explanation, simulations, back-tests, reassessments, rule sets and their difference,
         the order of visits.
"""
