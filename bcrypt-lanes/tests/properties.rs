//! Each lane's hash is the `bcrypt` crate's, and nothing else's affair.

use bcrypt_lanes::{Cost, LANES, Lane};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A password and its salt.
type Owned = (Vec<u8>, [u8; 16]);

fn password() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![4 => any::<u8>(), 1 => Just(0), 1 => Just(0xff)], 0..=100)
}

fn owned() -> impl Strategy<Value = Owned> {
    (password(), any::<[u8; 16]>())
}

fn cost() -> impl Strategy<Value = Cost> {
    (4_u32..=6).prop_map(|cost| Cost::new(cost).unwrap())
}

fn lane((password, salt): &Owned) -> Lane<'_> {
    Lane { password, salt: *salt }
}

fn hash(cost: Cost, inputs: &[Owned]) -> Vec<[u8; 24]> {
    let lanes: Vec<_> = inputs.iter().map(lane).collect();
    bcrypt_lanes::hash(cost, &lanes)
}

/// By the crate, which wants the key made for it.
fn expected(cost: Cost, (password, salt): &Owned) -> [u8; 24] {
    let mut key = password.clone();
    key.push(0);
    key.truncate(72);
    bcrypt::bcrypt(cost.get(), *salt, &key)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_lane_is_equal_to_the_crates(cost in cost(), inputs in vec(owned(), 0..=2 * LANES + 1)) {
        let all: Vec<_> = inputs.iter().map(|input| expected(cost, input)).collect();
        prop_assert_eq!(hash(cost, &inputs), all);
    }

    #[test]
    fn a_lane_does_not_depend_on_its_neighbours(
        cost in cost(), mine in owned(), mut others in vec(owned(), 0..LANES), place in any::<Index>()
    ) {
        let alone = hash(cost, std::slice::from_ref(&mine));
        let place = place.index(others.len() + 1);
        others.insert(place, mine);
        prop_assert_eq!(hash(cost, &others)[place], alone[0]);
    }

    #[test]
    fn equal_inputs_give_equal_hashes(cost in cost(), input in owned(), size in 1..=LANES) {
        let hashes = hash(cost, &vec![input; size]);
        prop_assert!(hashes.iter().all(|hash| hash == &hashes[0]));
    }
}

#[test]
fn the_key_ends_with_a_nul_repeats_and_is_cut_at_72_bytes() {
    let of = |password: &[u8]| hash(Cost::MIN, &[(password.to_vec(), [7; 16])]);
    let long = [b'x'; 100];
    for length in 0..=long.len() {
        let input = (long[..length].to_vec(), [7; 16]);
        assert_eq!(of(&input.0), [expected(Cost::MIN, &input)], "{length}");
    }
    assert_eq!(of(&long[..72]), of(&long));
    assert_ne!(of(&long[..71]), of(&long));
    assert_eq!(of(b"a"), of(b"a\0a"));
    assert_eq!(of(b""), of(b"\0"));
    assert_ne!(of(b"a"), of(b"aa"));
}

#[test]
fn none_are_hashed_to_none() {
    assert_eq!(bcrypt_lanes::hash(Cost::MAX, &[]), [[0; 24]; 0]);
}

#[test]
fn only_bcrypts_costs_can_be_expressed() {
    for cost in [0, 3, 32, 64, u32::MAX] {
        assert_eq!(Cost::new(cost), None, "{cost}");
    }
    for cost in 4..=31 {
        assert_eq!(Cost::new(cost).map(Cost::get), Some(cost));
    }
}
