-- Null: nothing is said of it. The table stays, since users' roles refer to it.
alter table roles add column about text;
update roles set about = description;
alter table roles drop column description;
alter table roles rename column about to description;

-- Few are disabled, and who looks for them need not walk past all others.
create index users_disabled on users (id) where disabled;
