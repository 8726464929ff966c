-- Few are disabled, and who looks for them need not walk past all others.
create index users_disabled on users (id) where disabled;
