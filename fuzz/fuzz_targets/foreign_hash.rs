//! No text that is offered as a password hash breaks anything.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis::hasher::Hasher;

static HASHER: LazyLock<Hasher> = LazyLock::new(|| Hasher::start(4, 0).expect("threads can be started"));

fuzz_target!(|text: &str| {
    let _ = HASHER.adopt(text);
});
