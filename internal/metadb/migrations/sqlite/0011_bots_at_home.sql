-- +goose Up

-- The user of a project or group access token is a member of the token's one
-- place. What it was given elsewhere ends, and the events of those places tell of
-- it: by nobody, at this moment. Members of other kinds stay.
INSERT INTO audit_events (id, name, entity_type, entity_id, entity_path,
        author_id, author_username, author_name, credential, credential_id, address, sudo_id, sudo_username,
        target_type, target_id, target_details, change, change_from, change_to)
    SELECT MAX((SELECT COALESCE(MAX(id), 0) FROM audit_events), CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)) + stray.n,
        'member_destroyed', CASE WHEN stray.project_id IS NULL THEN 'Group' ELSE 'Project' END,
        COALESCE(stray.project_id, stray.namespace_id),
        COALESCE((SELECT substr(r.path, 1, 1024) FROM routes r
            WHERE r.redirect = 0 AND (r.project_id = stray.project_id OR r.namespace_id = stray.namespace_id)), ''),
        0, '', '', '', 0, '', 0, '',
        'User', stray.user_id, substr(stray.username, 1, 255), 'access_level',
        CASE stray.access_level WHEN 5 THEN 'Minimal Access' WHEN 10 THEN 'Guest' WHEN 15 THEN 'Planner' WHEN 20 THEN 'Reporter'
            WHEN 30 THEN 'Developer' WHEN 40 THEN 'Maintainer' WHEN 50 THEN 'Owner' ELSE 'None' END
            || COALESCE(' until ' || strftime('%Y-%m-%d', stray.expires_at / 1000000, 'unixepoch'), ''), ''
    FROM (SELECT m.*, u.username, ROW_NUMBER() OVER (ORDER BY m.id) AS n
        FROM bots b CROSS JOIN members m ON m.user_id = b.user_id JOIN users u ON u.id = b.user_id
        WHERE (b.project_id = m.project_id OR b.namespace_id = m.namespace_id) IS NOT TRUE) stray;

DELETE FROM members WHERE id IN (SELECT m.id FROM bots b CROSS JOIN members m ON m.user_id = b.user_id
    WHERE (b.project_id = m.project_id OR b.namespace_id = m.namespace_id) IS NOT TRUE);

-- +goose Down
-- Forward only: an older server refuses a newer database.
SELECT 1;
