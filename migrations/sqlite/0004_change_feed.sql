-- The newest change. Who adds changes raises seq first, and so holds this row until its commit: the order of seq is
-- the order of commits, without a gap, and who has read change n can't have missed one before it.
create table newest_change (
    id integer not null primary key check (id = 1),
    seq integer not null
) strict;

insert into newest_change (id, seq) select 1, coalesce(max(seq), 0) from changes;

-- Without autoincrement: seq comes from newest_change.
create table ordered_changes (
    seq integer not null primary key,
    at text not null,
    reason text not null,
    user_id blob not null,
    -- Null: all of the user's sessions.
    session_id blob
) strict;

insert into ordered_changes select seq, at, reason, user_id, session_id from changes;
drop table changes;
alter table ordered_changes rename to changes;

-- What is done now and then, by whichever replica finds it due.
create table schedule (
    task text not null primary key,
    next_at text not null
) strict;
