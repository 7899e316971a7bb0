CREATE INDEX ix_decision_subject ON recognition.decision (subject, program);

CREATE FUNCTION recognition.finds(of_kind text, of_reason text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT of_reason = ANY (CASE of_kind
        WHEN 'suspected_death' THEN '{death,declared_dead}'::text[]
        WHEN 'conflict' THEN '{death,declared_dead}'::text[]
        WHEN 'suspected_incarceration' THEN '{imprisonment,detention}'::text[]
        WHEN 'suspected_missing' THEN '{missing}'::text[]
        ELSE ARRAY[of_kind]
    END)
$$;

COMMENT ON FUNCTION recognition.finds IS 'Whether a case of a kind can confirm or deny a reason; the same as usecases/proposing.py';

CREATE FUNCTION recognition.cleared_at(of_subject uuid, of_reason text) RETURNS timestamp with time zone
LANGUAGE sql STABLE AS $$
    SELECT max(at) FROM (
        SELECT f.concluded_at AS at FROM recognition.finding f
        WHERE f.subject = of_subject AND f.conclusion IN ('unfounded', 'false_death')
            AND recognition.finds(f.kind, of_reason)
        UNION ALL
        SELECT s.cleared_at FROM recognition.standing s
        WHERE s.subject = of_subject AND NOT EXISTS (
            SELECT FROM recognition.finding f
            WHERE f.subject = s.subject AND f.concluded_at = s.cleared_at
                AND f.conclusion IN ('unfounded', 'false_death')
        )
        UNION ALL
        SELECT d.lifted_at FROM recognition.decision d
        WHERE d.subject = of_subject AND d.state = 'lifted' AND d.reason IN ('death', 'declared_dead')
            AND of_reason IN ('death', 'declared_dead')
    ) cleared
$$;

COMMENT ON FUNCTION recognition.cleared_at IS 'When people last found that a reason is none: a case of its kind, or officers; null where nobody has'
