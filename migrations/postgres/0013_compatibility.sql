-- One row: on which programs this schema has room. A migration that does more than add raises the number to its own.
create table compatibility (
    id bigint primary key check (id = 1),
    -- The newest migration that a program must know of, at least, to run on this schema.
    lowest bigint not null
);

insert into compatibility (id, lowest) values (1, 13);
