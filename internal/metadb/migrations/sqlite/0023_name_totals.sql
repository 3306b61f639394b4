-- +goose Up

-- How many names of a project package_name_orders has. Only the upkeep writes it, and what
-- removes names.
CREATE TABLE package_name_totals (
    project_id INTEGER PRIMARY KEY,
    names      INTEGER NOT NULL
) STRICT;
INSERT INTO package_name_totals (project_id, names) SELECT project_id, COUNT(*) FROM package_name_orders GROUP BY project_id;

-- +goose StatementBegin
CREATE TRIGGER package_name_orders_added AFTER INSERT ON package_name_orders BEGIN
    INSERT INTO package_name_totals (project_id, names) VALUES (new.project_id, 1)
        ON CONFLICT (project_id) DO UPDATE SET names = names + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER package_name_orders_removed AFTER DELETE ON package_name_orders BEGIN
    UPDATE package_name_totals SET names = names - 1 WHERE project_id = old.project_id;
END;
-- +goose StatementEnd

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
