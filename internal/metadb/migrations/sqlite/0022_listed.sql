-- +goose Up

-- The trigger of 0021 in other words: SQLite builds a table for every IN with more than two
-- values, each time it runs, which cost a publish a tenth of its CPU.
DROP TRIGGER packages_added;
-- +goose StatementBegin
CREATE TRIGGER packages_added AFTER INSERT ON packages BEGIN
    INSERT INTO package_counts (project_id, status, packages) VALUES (new.project_id, new.status, 1)
        ON CONFLICT (project_id, status) DO UPDATE SET packages = packages + 1;
    INSERT INTO package_names (project_id, name, listed, bytes, published_at, last_id)
        VALUES (new.project_id, new.name, new.status = 'default' OR new.status = 'error' OR new.status = 'deprecated',
            (new.status = 'default' OR new.status = 'error' OR new.status = 'deprecated') * COALESCE(new.bytes, 0), new.created_at, new.id)
        ON CONFLICT (project_id, name) DO UPDATE SET listed = listed + excluded.listed, bytes = bytes + excluded.bytes,
            published_at = CASE WHEN listed = 0 OR excluded.published_at >= published_at THEN excluded.published_at ELSE published_at END,
            last_id = CASE WHEN listed = 0 OR excluded.published_at >= published_at THEN excluded.last_id ELSE last_id END
        WHERE excluded.listed <> 0;
    UPDATE package_names SET changed = 1 WHERE project_id = new.project_id AND name = new.name AND changed = 0;
END;
-- +goose StatementEnd

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
