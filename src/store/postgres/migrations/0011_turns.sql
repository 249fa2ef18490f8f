-- Ends turns that let their lanes go on: the calls they made to read are written down, the waiting updates of the same
-- record whose change was read are settled too, what the turns reserved is let go, and the next of each lane is due.
--
-- One function, because each of its statements sees what was committed before it began: the locks are taken first, and
-- the whole takes one journey instead of six. Two builds may use one database: a function that does something else has
-- another name.
--
-- Given are lists: the locks of the firms in order; of each turn its event and claim, what it ends with (no state: it
-- needs a closer look) and up to where it supersedes; of each call the turn's place, counted from 1, and its columns.
-- Comes back, for each turn in order, whether it was ended here; nothing if its lease does not hold.
CREATE FUNCTION end_turns(
    locks bigint[], moment bigint,
    ids uuid[], claimed bigint[], states text[], reasons text[], causes text[], plans bytea[], horizons bigint[],
    callers bigint[], operations text[], targets text[], keys text[], statuses bigint[], classes text[],
    starts bigint[], durations bigint[], details text[])
RETURNS boolean[]
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    ended boolean[];
    seqs bigint[]; -- by place; 0: not ended here
    people bigint[];
    has_open boolean; -- whether one of them left an effect open
BEGIN
    PERFORM set_config('lock_timeout', '5s', true), set_config('synchronous_commit', 'off', true),
        pg_advisory_xact_lock(lock) FROM unnest(locks) AS lock;
    -- A lease that holds does so until the firm's lock is let go: whoever could take it waits for that.
    SELECT array_agg(held.is_plain ORDER BY given.place),
            array_agg(CASE WHEN held.is_plain THEN held.seq ELSE 0 END ORDER BY given.place),
            array_agg(DISTINCT held.person) FILTER (WHERE held.is_plain AND held.person IS NOT NULL),
            bool_or(held.has_open)
        INTO ended, seqs, people, has_open
        FROM unnest(ids, claimed, states) WITH ORDINALITY AS given (id, claims, state, place)
        LEFT JOIN LATERAL (
            -- Found by its id alone: left to choose, the planner would go through all that are running.
            SELECT seq, person, given.state IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM parking WHERE firm = found.firm)
                AND NOT EXISTS (SELECT 1 FROM review_event WHERE review_event.event = found.seq) AS is_plain,
                EXISTS (SELECT 1 FROM effect WHERE effect.event = given.id AND completed_at IS NULL) AS has_open
            FROM (SELECT seq, person, firm, claims, state FROM event WHERE id = given.id LIMIT 1) found
            WHERE found.claims = given.claims AND found.state = 'running') held ON true;
    IF true = ANY(ended) THEN
        IF has_open THEN
            DELETE FROM reservation USING unnest(ids, ended) AS given (id, is_ended), effect
                WHERE given.is_ended AND effect.event = given.id AND effect.completed_at IS NULL
                    AND reservation.firm = effect.firm AND reservation.effect = effect.key;
        END IF;
        IF people IS NOT NULL AND cardinality(array_remove(horizons, NULL)) > 0 THEN
            -- Each from the one before: left to choose, the planner joins all of a person's events with each other.
            UPDATE event SET state = 'superseded', settled_at = moment,
                    reason = 'settled together with ' || newer.id || ', which read the record afterwards'
                FROM unnest(horizons) WITH ORDINALITY AS given (horizon, place)
                CROSS JOIN LATERAL (
                    SELECT id, person, subject FROM event WHERE seq = seqs[given.place] LIMIT 1) newer
                CROSS JOIN LATERAL (
                    SELECT seq FROM event WHERE person = newer.person AND subject = newer.subject
                        AND state = 'waiting' AND is_update AND coalesce(turn, seq) <= given.horizon OFFSET 0) older
                WHERE given.horizon IS NOT NULL AND event.seq = older.seq;
        END IF;
        IF cardinality(callers) > 0 THEN
            INSERT INTO call (event, operation, target, effect_key, status, class, started_at, duration_ms, detail)
                SELECT seqs[caller], operation, target, key, status, class, start, duration, detail
                FROM unnest(callers, operations, targets, keys, statuses, classes, starts, durations, details)
                    WITH ORDINALITY AS given
                    (caller, operation, target, key, status, class, start, duration, detail, number)
                WHERE seqs[caller] > 0 ORDER BY number;
        END IF;
        UPDATE event SET state = given.state, reason = given.reason, cause = given.cause, due_at = moment, settled_at = moment,
                failed_attempts = failed_attempts + (given.cause IS NOT NULL)::int,
                sealed_plan = coalesce(given.plan, sealed_plan), lease_owner = NULL, lease_until = NULL
            FROM unnest(states, reasons, causes, plans) WITH ORDINALITY AS given (state, reason, cause, plan, place)
            WHERE event.seq = seqs[given.place];
        IF people IS NULL THEN
            RETURN ended;
        END IF;
        UPDATE event SET state = 'ready'
            FROM unnest(people) AS lane (person) CROSS JOIN LATERAL (
                SELECT seq FROM event WHERE person = lane.person AND state = 'waiting'
                ORDER BY coalesce(turn, seq), seq LIMIT 1) next
            WHERE event.seq = next.seq AND NOT EXISTS (SELECT 1 FROM event head WHERE head.person = lane.person
                AND head.state IN ('ready', 'running', 'retrying', 'parked'));
    END IF;
    RETURN ended;
END $$;

-- A look, and a lock, for what each row refers to, which the same statement wrote or the firm's lock holds. What deletes a
-- row deletes what refers to it first.
ALTER TABLE event DROP CONSTRAINT event_person_fkey;
ALTER TABLE payload DROP CONSTRAINT payload_event_fkey;
ALTER TABLE call DROP CONSTRAINT call_event_fkey;
ALTER TABLE person_record DROP CONSTRAINT person_record_person_fkey;
