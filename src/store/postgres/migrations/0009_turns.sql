-- Ends turns that let their lanes go on: the calls they made to read are written down, the waiting updates of the same
-- record whose change was read are settled too, what the turns reserved is let go, and the next of each lane is due.
--
-- One function, because each of its statements sees what was committed before it began: the locks are taken first, and
-- the whole takes one journey instead of six. Two builds may use one database: a function that does something else has
-- another name.
--
-- Given are lists: the locks of the firms in order; of each turn its event and claim, what it ends with (no state: it
-- needs a closer look) and up to where it supersedes; of each call the turn's place, counted from 1, and its columns.
-- Comes back, for each turn whose lease holds, its place and whether it was ended here.
CREATE FUNCTION end_turns(
    locks bigint[], moment bigint,
    ids uuid[], claimed bigint[], states text[], reasons text[], causes text[], plans bytea[], horizons bigint[],
    callers bigint[], operations text[], targets text[], keys text[], statuses bigint[], classes text[],
    starts bigint[], durations bigint[], details text[])
RETURNS TABLE (place bigint, is_ended boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    ended boolean[]; -- by place; NULL: the lease does not hold
    seqs bigint[]; -- by place; 0: not ended here
    events uuid[];
    people bigint[];
BEGIN
    PERFORM set_config('lock_timeout', '5s', true), set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(lock) FROM unnest(locks) AS lock;
    -- A lease that holds does so until the firm's lock is let go: whoever could take it waits for that.
    SELECT array_agg(held.is_plain ORDER BY given.place),
            array_agg(CASE WHEN held.is_plain THEN held.seq ELSE 0 END ORDER BY given.place),
            array_agg(given.id) FILTER (WHERE held.is_plain),
            array_agg(DISTINCT held.person) FILTER (WHERE held.is_plain AND held.person IS NOT NULL)
        INTO ended, seqs, events, people
        FROM unnest(ids, claimed, states) WITH ORDINALITY AS given (id, claims, state, place)
        LEFT JOIN LATERAL (
            -- Found by its id alone: left to choose, the planner would go through all that are running.
            SELECT seq, person, given.state IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM parking WHERE firm = found.firm)
                AND NOT EXISTS (SELECT 1 FROM review_event WHERE review_event.event = found.seq) AS is_plain
            FROM (SELECT seq, person, firm, claims, state FROM event WHERE id = given.id LIMIT 1) found
            WHERE found.claims = given.claims AND found.state = 'running') held ON true;
    IF events IS NOT NULL THEN
        DELETE FROM reservation USING effect WHERE effect.event = ANY(events) AND effect.completed_at IS NULL
            AND reservation.firm = effect.firm AND reservation.effect = effect.key;
        IF people IS NOT NULL AND cardinality(array_remove(horizons, NULL)) > 0 THEN
            UPDATE event SET state = 'superseded', settled_at = moment,
                    reason = 'settled together with ' || newer.id || ', which read the record afterwards'
                FROM unnest(horizons) WITH ORDINALITY AS given (horizon, place)
                JOIN event newer ON newer.seq = seqs[given.place]
                WHERE given.horizon IS NOT NULL
                    AND event.person = newer.person AND event.subject = newer.subject AND event.state = 'waiting'
                    AND event.is_update AND coalesce(event.turn, event.seq) <= given.horizon;
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
        UPDATE event SET state = 'ready'
            FROM unnest(people) AS lane (person) CROSS JOIN LATERAL (
                SELECT seq FROM event WHERE person = lane.person AND state = 'waiting'
                ORDER BY coalesce(turn, seq), seq LIMIT 1) next
            WHERE event.seq = next.seq AND NOT EXISTS (SELECT 1 FROM event head WHERE head.person = lane.person
                AND head.state IN ('ready', 'running', 'retrying', 'parked'));
    END IF;
    RETURN QUERY SELECT told.place, told.is_ended
        FROM unnest(ended) WITH ORDINALITY AS told (is_ended, place) WHERE told.is_ended IS NOT NULL;
END $$;

-- A look, and a lock, for what each row refers to, which the same statement wrote or the firm's lock holds. What deletes a
-- row deletes what refers to it first.
ALTER TABLE event DROP CONSTRAINT event_person_fkey;
ALTER TABLE payload DROP CONSTRAINT payload_event_fkey;
ALTER TABLE call DROP CONSTRAINT call_event_fkey;
ALTER TABLE person_record DROP CONSTRAINT person_record_person_fkey;
