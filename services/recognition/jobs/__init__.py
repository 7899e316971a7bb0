"""Time in: loops that carry work through, one step a transaction; a process that dies leaves the rest to the next."""

from services.recognition.jobs.bulk import BulkLoop
from services.recognition.jobs.chase import ChaseLoop
from services.recognition.jobs.money import MoneyLoop
from services.recognition.jobs.refusals import RefusalLoop
from services.recognition.jobs.runs import RunLoop
from services.recognition.jobs.seals import SealLoop
from services.recognition.jobs.waiting import WaitingLoop

__all__ = ["BulkLoop", "ChaseLoop", "MoneyLoop", "RefusalLoop", "RunLoop", "SealLoop", "WaitingLoop"]
