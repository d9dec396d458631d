-- Where an operator's command stands that may be stopped and go on later (`scrub`), as JSON.
CREATE TABLE operator_task (
    name       {{TEXT}} NOT NULL PRIMARY KEY,
    state      {{TEXT}} NOT NULL,
    updated_at {{INT}} NOT NULL
) {{STRICT}};
