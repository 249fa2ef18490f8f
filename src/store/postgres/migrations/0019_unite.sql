-- Makes one person of two; which of them it is. One function, because a new link needs it while it holds its firm's lock,
-- which waits for each journey: it takes one instead of twelve.
CREATE FUNCTION unite_people(one bigint, other bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    keep bigint := least(one, other); -- the older number stays, so that two transactions that unite the same people agree
    gone bigint := greatest(one, other);
BEGIN
    IF keep = gone THEN
        RETURN keep;
    END IF;
    UPDATE person_record SET person = keep WHERE person = gone;
    UPDATE event SET person = keep WHERE person = gone AND state = 'waiting';
    UPDATE event SET person = keep WHERE person = gone AND state IN ('ready', 'running', 'retrying', 'parked');
    UPDATE person SET merged_into = keep WHERE id = gone;
    -- In order of receipt again: heads that nobody holds go back to waiting, and the oldest is the head once every lease
    -- has settled.
    UPDATE event SET state = 'waiting' WHERE person = keep AND state IN ('ready', 'retrying', 'parked');
    UPDATE event SET state = CASE WHEN firm IN (SELECT firm FROM parking) THEN 'parked' ELSE 'ready' END
        FROM (SELECT seq FROM event WHERE person = keep AND state = 'waiting'
            ORDER BY coalesce(turn, seq), seq LIMIT 1) next
        WHERE event.seq = next.seq AND NOT EXISTS (SELECT 1 FROM event head WHERE head.person = keep
            AND head.state IN ('ready', 'running', 'retrying', 'parked'));
    RETURN keep;
END $$;

-- The person a record belongs to; one that nobody knows yet starts a person.
CREATE FUNCTION person_of(whose text, name text)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    found bigint := (SELECT person FROM person_record WHERE firm = whose AND record = name);
BEGIN
    IF found IS NULL THEN
        INSERT INTO person (firm) VALUES (whose) RETURNING id INTO found;
        INSERT INTO person_record (firm, record, person) VALUES (whose, name, found);
    END IF;
    RETURN found;
END $$;
