//! The token of a request's `authorization` header.

use crate::Error;

/// The token of the one `authorization` header (RFC 6750 section 2.1), given the values of all of them. The scheme
/// may have any case (RFC 9110 section 11.1).
pub(crate) fn token<'a>(mut headers: impl Iterator<Item = &'a [u8]>) -> Result<&'a str, Error> {
    let header = headers.next().ok_or(Error::MissingToken)?;
    if headers.next().is_some() {
        return Err(Error::SeveralTokens);
    }
    let (scheme, token) =
        header.iter().position(|byte| *byte == b' ').map_or((header, &[][..]), |at| header.split_at(at));
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer") || token.is_empty() {
        return Err(Error::MissingToken);
    }
    str::from_utf8(token).map_err(|_| Error::InvalidToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(header: &str) -> Result<&str, Error> {
        token([header.as_bytes()].into_iter())
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "] {
            assert_eq!(one(&format!("{scheme} a.b.c")), Ok("a.b.c"), "{scheme}");
        }
        for none in ["", "Bearer", "Bearer ", "a.b.c", "Basic YWRhOngK", "Token x", "Bearer,x", "Bearera.b.c"]
        {
            assert_eq!(one(none), Err(Error::MissingToken), "{none:?}");
        }
        assert_eq!(token([].into_iter()), Err(Error::MissingToken));
        assert_eq!(token([&b"Bearer \xff"[..]].into_iter()), Err(Error::InvalidToken));
        assert_eq!(token([&b"Bearer a"[..], b"Bearer a"].into_iter()), Err(Error::SeveralTokens));
    }
}
