-- +goose Up

-- How many names of a project package_name_orders has. Only the upkeep writes it.
CREATE TABLE package_name_totals (
    project_id BIGINT PRIMARY KEY,
    names      BIGINT NOT NULL
);
INSERT INTO package_name_totals (project_id, names) SELECT project_id, COUNT(*) FROM package_name_orders GROUP BY project_id;

-- +goose StatementBegin
CREATE FUNCTION count_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO package_name_totals AS t (project_id, names) VALUES (new.project_id, 1)
            ON CONFLICT (project_id) DO UPDATE SET names = t.names + 1;
    ELSE
        UPDATE package_name_totals SET names = names - 1 WHERE project_id = old.project_id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER package_name_orders_counted AFTER INSERT OR DELETE ON package_name_orders
    FOR EACH ROW EXECUTE FUNCTION count_name();

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
