"""HTTP in: the grid member's, the village's and the office's routes."""

from services.grid.api import cases, office, work

ROUTERS = (work.router, cases.router, office.router)
