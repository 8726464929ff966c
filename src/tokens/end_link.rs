//! What a mailed link holds that ends one session: base64url of the session's id and a MAC. Good for nothing else, as
//! often as it is used, and kept nowhere.

use crate::id::SessionId;
use crate::secret::{MacKey, Purpose, SecretKey, base64url, from_base64url};

/// Writes and reads the tokens of such links.
#[derive(Debug)]
pub struct EndLinks {
    present: MacKey,
    previous: Option<MacKey>,
}

impl EndLinks {
    /// What was written under the `previous` secret is read, too.
    pub fn new(secret: &SecretKey, previous: Option<&SecretKey>) -> EndLinks {
        let mac = |secret: &SecretKey| secret.mac(Purpose::EndLink);
        EndLinks { present: mac(secret), previous: previous.map(mac) }
    }

    /// The token that ends this session.
    pub fn write(&self, session: SessionId) -> String {
        base64url(&[session.as_bytes().as_slice(), &self.present.sign(session.as_bytes())].concat())
    }

    /// The session that a token ends; `None` for any text that [`write`](Self::write) did not make.
    pub fn read(&self, token: &str) -> Option<SessionId> {
        let bytes = from_base64url(token)?;
        let (id, mac) = bytes.split_first_chunk::<16>()?;
        let ours = |key: &MacKey| key.verify(id, mac);
        (ours(&self.present) || self.previous.as_ref().is_some_and(ours)).then(|| SessionId::from(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_it_wrote_is_read() {
        let secret = |text: &str| SecretKey::from_text(&text.repeat(32)).unwrap();
        let (ours, other) = (EndLinks::new(&secret("a"), None), EndLinks::new(&secret("b"), None));
        let after = EndLinks::new(&secret("b"), Some(&secret("a")));
        let session = SessionId::from([7; 16]);
        let token = ours.write(session);
        assert_eq!(ours.read(&token), Some(session));
        assert_eq!(after.read(&token), Some(session));
        assert_eq!(other.read(&token), None);
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(ours.read(std::str::from_utf8(&altered).unwrap()), None, "at {at}");
            assert_eq!(ours.read(&token[..at]), None, "cut at {at}");
        }
    }
}
