-- +goose Up

-- A page of a version's files, and how many there are, without a look at each of
-- them: installing a version of thousands of files asks for every page.
CREATE INDEX package_files_listed ON package_files (package_id, id) WHERE status <> 'pending_destruction';

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
