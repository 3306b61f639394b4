-- +goose Up

-- W3C Trace Context of the request that caused a delivery; empty if it had none. A node of the
-- build before leaves them empty, and sends without them.
ALTER TABLE hook_deliveries ADD COLUMN trace_parent TEXT NOT NULL DEFAULT '';
ALTER TABLE hook_deliveries ADD COLUMN trace_state TEXT NOT NULL DEFAULT '';

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
