-- Whoever registered twice and confirmed one account is told, by the mail that the address answers to, of the other ones: those
-- cannot be confirmed any more, and their devices may not say so, since that would tell anybody who has an account.

CREATE FUNCTION apex_tell_of_other_accounts(at_time timestamptz, accounts_max integer) RETURNS void
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO mails (purpose, user_id, asked_at, due_at)
    SELECT 'verify_email', other.id, at_time, at_time
    FROM users AS own
    JOIN users AS other ON other.email_index = own.email_index AND other.id <> own.id
    WHERE own.id = apex_user_id()
        AND own.email_verified_at IS NOT NULL
    ORDER BY other.created_at DESC
    LIMIT accounts_max
    ON CONFLICT DO NOTHING;
END;
COMMENT ON FUNCTION apex_tell_of_other_accounts IS
    'asks for the letter that confirms each of the latest, which becomes the one to the owner once an address has one';
REVOKE EXECUTE ON FUNCTION apex_tell_of_other_accounts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_tell_of_other_accounts TO apex_app;
