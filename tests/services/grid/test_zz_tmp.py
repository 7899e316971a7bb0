import time, numpy as np, polars as pl
from services.grid.store import staging, people, tasks
from tests.services.grid.town import *
import pytest
@pytest.mark.timeout("300")
async def test_x(committing_database_for, issuer):
    db=await committing_database_for("grid")
    rng=np.random.default_rng(1)
    def frame(n): 
        b=rng.integers(0,256,(n,16),dtype=np.uint8)
        return pl.DataFrame({"subject":[x.tobytes() for x in b],"valid_until":[TODAY]*n,"channel":["data"]*n},schema={"subject":pl.Binary,"valid_until":pl.Date,"channel":pl.String})
    async def timeit(name, f, n=200):
        t=time.time()
        for i in range(n): await f()
        print(name, round((time.time()-t)/n*1000,2),"ms")
    fr=frame(100)
    async def empty():
        async with db.write() as tx: await tx.run("select 1")
    async def one():
        async with db.write() as tx: await people.save_certified(tx, fr)
    async def two():
        async with db.write() as tx:
            await people.save_certified(tx, fr); await tasks.settle_certified(tx, NOW)
    await timeit("empty", empty)
    await timeit("stage+insert 1 temp", one)
    await timeit("stage+insert+update 1 temp", two)
    async with db.write() as tx:
        for k,v in staging.STAGED.items():
            d=", ".join(f"{c} {t}" for c,t in v.items())
            await tx.run(f"create temp table if not exists {k} ({d}) on commit delete rows")
    await timeit("same with all temps", two)
    async def drop():
        async with db.write() as tx:
            await tx.run("CREATE TEMP TABLE st2 (subject uuid, valid_until date, channel text) ON COMMIT DROP")
            await tx.copy("st2", fr.to_arrow().cast(pa.schema([("subject",pa.binary(16)),("valid_until",pa.date32()),("channel",pa.string())])))
            await tx.run("INSERT INTO certified SELECT * FROM st2 ON CONFLICT (subject) DO UPDATE SET valid_until=excluded.valid_until WHERE certified.valid_until<excluded.valid_until")
    await timeit("on commit drop", drop)
    async def arr():
        async with db.write() as tx:
            s=[UUID(bytes=x) for x in fr["subject"]]
            await tx.run("INSERT INTO certified SELECT * FROM unnest($1::uuid[],$2::date[],$3::text[]) ON CONFLICT (subject) DO UPDATE SET valid_until=excluded.valid_until WHERE certified.valid_until<excluded.valid_until", s, fr["valid_until"].to_list(), fr["channel"].to_list())
    await timeit("arrays", arr)
    async def arr2():
        async with db.write() as tx:
            s=[UUID(bytes=x) for x in fr["subject"]]
            await tx.run("INSERT INTO certified SELECT * FROM unnest($1::uuid[],$2::date[],$3::text[]) ON CONFLICT (subject) DO UPDATE SET valid_until=excluded.valid_until WHERE certified.valid_until<excluded.valid_until", s, fr["valid_until"].to_list(), fr["channel"].to_list())
            await tx.run("UPDATE tasks t SET state='closed' FROM unnest($1::uuid[],$2::date[]) s(subject,v) WHERE t.subject=s.subject AND t.reason='unmatched' AND t.state<>'closed' AND s.v>t.due_on", s, fr["valid_until"].to_list())
    await timeit("arrays+update", arr2)
