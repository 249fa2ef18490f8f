-- By which a person is found without being named: keyed hashes of the e-mails and phones both sides agreed on.
CREATE TABLE person_key (
    firm      TEXT COLLATE "C" NOT NULL,
    match_key BYTEA NOT NULL,
    record    TEXT COLLATE "C" NOT NULL, -- system:kind:id of the contact
    PRIMARY KEY (firm, match_key, record)
);
CREATE INDEX person_key_by_record ON person_key (firm, record);
