-- What the engine itself keeps: how far the schema has come and how far time has.
CREATE TABLE schema (
    version    {{INT}} NOT NULL PRIMARY KEY,
    min_reader {{INT}} NOT NULL
) {{STRICT}};

CREATE TABLE clock (
    id      {{INT}} NOT NULL PRIMARY KEY CHECK (id = 1),
    highest {{INT}} NOT NULL
) {{STRICT}};

INSERT INTO clock (id, highest) VALUES (1, 0);
