-- Lists show the newest day first and what has no day last, read from these indexes in their own order.
DROP INDEX workout_logs_by_date;
DROP INDEX check_ins_by_date;
DROP INDEX body_metrics_by_date;
DROP INDEX nutrition_logs_by_date;
CREATE INDEX workout_logs_by_date ON workout_logs (scope_id, date DESC NULLS LAST);
CREATE INDEX check_ins_by_date ON check_ins (scope_id, date DESC NULLS LAST);
CREATE INDEX body_metrics_by_date ON body_metrics (scope_id, date DESC NULLS LAST);
CREATE INDEX nutrition_logs_by_date ON nutrition_logs (scope_id, date DESC NULLS LAST);
