-- Backups beside a running server, and pauses of collection that every server and command knows of.

-- A backup under way to a place, by the place's id. While it lives (`held_until` is raised again and again), no file goes that was a
-- segment when it began, `held_since`.
CREATE TABLE backup_hold (
    place      {{TEXT}} NOT NULL PRIMARY KEY,
    owner      {{BLOB}} NOT NULL,
    held_since {{INT}} NOT NULL,
    held_until {{INT}} NOT NULL
) {{STRICT}};

-- Until when a file was a segment that is doomed now; NULL for one that never was.
ALTER TABLE doomed ADD COLUMN segment_until {{INT}};

-- Until when nothing is collected, and why: `clock` after a jump of the clock, `restore` after a restore.
CREATE TABLE collection_pause (
    reason       {{TEXT}} NOT NULL PRIMARY KEY,
    paused_until {{INT}} NOT NULL
) {{STRICT}};
