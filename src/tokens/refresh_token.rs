//! The text of a refresh token: `pc_rt_` and base64url of session id, generation and MAC.

use crate::id::SessionId;
use crate::secret::{MacKey, Purpose, SecretKey, base64url, from_base64url};

/// Tells people, and scanners for leaked secrets, what it is.
const PREFIX: &str = "pc_rt_";

const ID_BYTES: usize = 16;
const GENERATION_BYTES: usize = 8;

/// Writes and reads refresh tokens. Reading one proves that this service, or one with the same secret, wrote it.
#[derive(Debug)]
pub struct RefreshTokens {
    present: MacKey,
    previous: Option<MacKey>,
}

impl RefreshTokens {
    /// What was written under the `previous` secret is read, too.
    pub fn new(secret: &SecretKey, previous: Option<&SecretKey>) -> RefreshTokens {
        let mac = |secret: &SecretKey| secret.mac(Purpose::RefreshToken);
        RefreshTokens { present: mac(secret), previous: previous.map(mac) }
    }

    /// The token of one generation of a session: the same each time.
    pub fn write(&self, session: SessionId, generation: i64) -> String {
        let mut bytes = Vec::with_capacity(ID_BYTES + GENERATION_BYTES + 32);
        bytes.extend_from_slice(session.as_bytes());
        bytes.extend_from_slice(&generation.to_be_bytes());
        bytes.extend_from_slice(&self.present.sign(&bytes));
        format!("{PREFIX}{}", base64url(&bytes))
    }

    /// The session and generation of a token; `None` for any text that [`write`](Self::write) did not make.
    pub fn read(&self, token: &str) -> Option<(SessionId, i64)> {
        let bytes = from_base64url(token.strip_prefix(PREFIX)?)?;
        let (message, mac) = bytes.split_at_checked(ID_BYTES + GENERATION_BYTES)?;
        let ours = |key: &MacKey| key.verify(message, mac);
        if !ours(&self.present) && !self.previous.as_ref().is_some_and(ours) {
            return None;
        }
        let (id, generation) = message.split_first_chunk::<ID_BYTES>()?;
        Some((SessionId::from(*id), i64::from_be_bytes(generation.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(secret: &str) -> RefreshTokens {
        RefreshTokens::new(&secret_of(secret), None)
    }

    fn secret_of(text: &str) -> SecretKey {
        SecretKey::from_text(&text.repeat(32)).unwrap()
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(id in any::<[u8; 16]>(), generation in any::<i64>()) {
            let token = tokens("a").write(SessionId::from(id), generation);
            prop_assert_eq!(tokens("a").read(&token), Some((SessionId::from(id), generation)));
            prop_assert_eq!(tokens("b").read(&token), None);
            let changed = RefreshTokens::new(&secret_of("b"), Some(&secret_of("a")));
            prop_assert_eq!(changed.read(&token), Some((SessionId::from(id), generation)));
            prop_assert_eq!(changed.write(SessionId::from(id), generation), tokens("b").write(SessionId::from(id), generation));
        }

        #[test]
        fn nothing_else_is_read(text in ".{0,120}|pc_rt_[A-Za-z0-9_-]{0,120}") {
            prop_assert_eq!(tokens("a").read(&text), None);
        }

        #[test]
        fn no_altered_token_is_read(at in 0usize..75, by in 1u8..128) {
            let mut bytes = tokens("a").write(SessionId::from([7; 16]), 1).into_bytes();
            bytes[at] ^= by;
            if let Ok(altered) = String::from_utf8(bytes) {
                prop_assert_eq!(tokens("a").read(&altered), None);
            }
        }
    }
}
