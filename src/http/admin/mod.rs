//! `/api/v1/admin`: for those with the role `admin`.

pub(super) mod audit;
pub(super) mod roles;
pub(super) mod sessions;
pub(super) mod users;
