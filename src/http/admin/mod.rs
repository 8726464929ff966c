//! `/api/v1/admin`: for those with the role `admin`.

pub(super) mod audit;
pub(super) mod quotas;
pub(super) mod roles;
pub(super) mod sessions;
pub(super) mod usage;
pub(super) mod users;
