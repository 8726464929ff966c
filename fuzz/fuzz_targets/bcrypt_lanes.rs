//! Whatever the passwords and salts and however many, each lane's hash is the one that the `bcrypt` crate makes.

#![no_main]

use bcrypt_lanes::{Cost, LANES, Lane};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // How many lanes and which cost, then a part for each lane: its salt and its password, the rest.
    let Some((&shape, bytes)) = bytes.split_first() else {
        return;
    };
    let count = 1 + usize::from(shape) % LANES;
    let cost = Cost::new(4 + u32::from(shape >> 7)).expect("4 or 5");
    let lanes: Vec<_> = (0..count)
        .map(|n| &bytes[bytes.len() * n / count..bytes.len() * (n + 1) / count])
        .map(|part| match part.split_first_chunk() {
            Some((&salt, password)) => Lane { password, salt },
            None => Lane { password: part, salt: [0; 16] },
        })
        .collect();

    let hashes = bcrypt_lanes::hash(cost, &lanes);
    assert_eq!(hashes.len(), count);
    for (lane, hash) in lanes.iter().zip(hashes) {
        let mut key = [lane.password, &[0]].concat();
        key.truncate(72);
        assert_eq!(hash, bcrypt::bcrypt(cost.get(), lane.salt, &key));
    }
});
