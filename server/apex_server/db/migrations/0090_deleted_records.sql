-- What can be restored is found without reading the records that stand.
CREATE INDEX records_deleted ON records (scope_id, collection, record_id) WHERE deleted;
