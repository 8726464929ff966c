//! No text that the service did not write is read as a refresh token, and none panics.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis::id::SessionId;
use portcullis::secret::{SecretKey, base64url};
use portcullis::tokens::RefreshTokens;

fn tokens(secret: &str) -> RefreshTokens {
    RefreshTokens::new(&SecretKey::from_text(&secret.repeat(32)).unwrap(), None)
}

static OURS: LazyLock<RefreshTokens> = LazyLock::new(|| tokens("a"));
static OTHERS: LazyLock<RefreshTokens> = LazyLock::new(|| tokens("b"));

fuzz_target!(|bytes: &[u8]| {
    // As it is, and in a form that gets further: any bytes in the place of id, generation and MAC.
    if let Ok(text) = str::from_utf8(bytes) {
        assert_eq!(OURS.read(text), None);
    }
    assert_eq!(OURS.read(&format!("pc_rt_{}", base64url(bytes))), None);

    // One of ours is read, and no longer once a byte of it has changed.
    let (Some(id), Some([generation, at, by])) = (bytes.first_chunk::<16>(), bytes.last_chunk::<3>()) else {
        return;
    };
    let (id, generation) = (SessionId::from(*id), i64::from(*generation));
    let token = OURS.write(id, generation);
    assert_eq!(OURS.read(&token), Some((id, generation)));
    assert_eq!(OURS.read(&OTHERS.write(id, generation)), None);
    let mut altered = token.clone().into_bytes();
    let at = usize::from(*at) % altered.len();
    altered[at] ^= by;
    if let Ok(altered) = String::from_utf8(altered)
        && altered != token
    {
        assert_eq!(OURS.read(&altered), None);
    }
});
