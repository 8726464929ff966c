-- Events of one kind are found by it, the newest first. A span of time is found by the ids, which ascend with it.
create index audit_events_by_event on audit_events (event, id);
drop index audit_events_by_time;
