-- A bound on the uploads that one principal has open. Each takes one of its principal's slots, numbered from 0 up to the bound; that
-- no two have the same is what holds the bound, whoever begins uploads at the same time. `principal` is '' for nobody; an upload
-- that was open before there were slots has none.
ALTER TABLE upload ADD COLUMN principal {{TEXT}} NOT NULL DEFAULT '';
ALTER TABLE upload ADD COLUMN slot {{INT}};
CREATE UNIQUE INDEX upload_slot ON upload (principal, slot);
