-- Lifecycle policies archive images and take tags away, too.

-- `action` is 1 to expire, 2 to archive, 3 to take the tags away that are named; `archived` is 1 for what is archived when it is marked.
ALTER TABLE lifecycle_mark ADD COLUMN action {{INT}} NOT NULL DEFAULT 1;
ALTER TABLE lifecycle_mark ADD COLUMN archived {{INT}} NOT NULL DEFAULT 0;

-- How many images are marked for the second and the third action, and not held.
ALTER TABLE lifecycle_evaluation ADD COLUMN transitioning {{INT}} NOT NULL DEFAULT 0;
ALTER TABLE lifecycle_evaluation ADD COLUMN untagging {{INT}} NOT NULL DEFAULT 0;

-- Images that were restored are as old as their restoration.
CREATE INDEX image_storage_activated ON image_storage (incarnation, activated_at, image) WHERE activated_at IS NOT NULL;
