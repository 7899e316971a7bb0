"""HTTP in: the grid member's, the village's and the office's routes."""

from services.grid.api import cases, claims, looks, office, photos, reports, review, work

ROUTERS = (
    work.router,
    photos.router,
    review.router,
    cases.router,
    claims.router,
    reports.router,
    looks.router,
    office.router,
)
