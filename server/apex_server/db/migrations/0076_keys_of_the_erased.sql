-- The worker writes the key file anew when it has erased somebody (vault/key_file.py), so it reads what goes in there.

CREATE POLICY erased_tokens_commit ON erased_tokens FOR SELECT TO apex_commit USING (true);
GRANT SELECT ON erased_tokens TO apex_commit;
