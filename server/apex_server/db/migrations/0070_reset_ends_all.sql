-- Choosing a password anew ends whatever was begun with the old one: sign-ins under way, and changes of address that
-- somebody asked for and has not confirmed.

GRANT DELETE ON email_changes TO apex_app;

CREATE FUNCTION apex_still_has_password(asked_hash text) RETURNS boolean
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT 1
        FROM users
        WHERE users.id = apex_user_id()
            AND users.password_hash = asked_hash
        FOR NO KEY UPDATE
    );
END;
COMMENT ON FUNCTION apex_still_has_password IS
    'whether a hash that was checked is still that of whoever asks; it stays so until the transaction ends';
REVOKE EXECUTE ON FUNCTION apex_still_has_password FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_still_has_password TO apex_app;
