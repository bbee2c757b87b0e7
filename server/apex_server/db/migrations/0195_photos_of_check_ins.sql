-- The photos that name a check-in are shown with it.

CREATE INDEX progress_photos_by_check_in ON progress_photos (scope_id, check_in_id) WHERE check_in_id IS NOT NULL;
