-- An older version that still runs must not add one between what is read and what is altered here.
lock table changes in access exclusive mode;

-- The newest change. Who adds changes raises seq first, and so holds this row until its commit: the order of seq is
-- the order of commits, without a gap, and who has read change n can't have missed one before it.
create table newest_change (
    id bigint primary key check (id = 1),
    seq bigint not null
);

insert into newest_change (id, seq) select 1, coalesce(max(seq), 0) from changes;

alter table changes alter column seq drop identity;

-- What is done now and then, by whichever replica finds it due.
create table schedule (
    task text primary key,
    next_at timestamptz not null
);
