-- The trace that the sender of an event gave (W3C Trace Context); where it gave none, the event's id is one.
ALTER TABLE event ADD COLUMN trace BLOB;
