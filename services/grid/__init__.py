"""grid: nobody is left uncertified, and nobody is stopped unseen.

owns:    divisions, grids, workers, recipients' addresses, tasks, visits, cases and their steps
hears:   ingest.enrolments.changed, recognition.certifications.due, recognition.certificates.issued,
         recognition.visit.requested, recognition.enrolment.{suspended,resumed,terminated}, scoring.suspicion.raised
says:    grid.visit.concluded, grid.case.concluded, grid.task.overdue, grid.workday.planned
answers: the grid member's worklist and visits, the village's and the town's cases, the office's tasks and figures
"""
