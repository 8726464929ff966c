//! What is found of the clock.

use super::{Found, sql, used_place};
use crate::program::PASSWORD;

#[tokio::test]
async fn a_clock_that_is_behind_the_newest_change_is_told() {
    let place = used_place();
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    Found::of(&place).well();
    sql(&place, "update audit_events set at = '2999-02-03T04:05:06.000000+00:00'").await;
    Found::of(&place).has("clock", "warning", &["2999-02-03", "NTP"]);
}
