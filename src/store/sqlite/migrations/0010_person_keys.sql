-- By which a person is found without being named: keyed hashes of the e-mails and phones both sides agreed on.
CREATE TABLE person_key (
    firm      TEXT NOT NULL,
    match_key BLOB NOT NULL,
    record    TEXT NOT NULL, -- system:kind:id of the contact
    PRIMARY KEY (firm, match_key, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_key_by_record ON person_key (firm, record);
