"""grid: nobody is left uncertified, and nobody is stopped unseen.

owns:    divisions, grids, workers, recipients' addresses, tasks, visits and their photos, cases and their
         steps, monthly reports, requests to stop, tips and rewards
hears:   ingest.enrolments.changed, recognition.certifications.due, recognition.certificates.issued,
         recognition.certificate.revoked, recognition.visit.requested, recognition.stop.requested,
         recognition.stop_request.withdrawn, recognition.overpayment.changed,
         recognition.enrolment.{suspended,resumed,terminated}, scoring.suspicion.raised
says:    grid.visit.{concluded,withdrawn}, grid.case.concluded, grid.task.overdue, grid.tasks.opened, grid.case.overdue,
         grid.workday.planned, grid.report.locked, grid.stop_request.concluded
answers: the grid member's worklist and visits, the village's and the town's cases, the office's tasks and figures,
         who looked at whom
"""
