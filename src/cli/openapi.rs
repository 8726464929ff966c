//! `portcullis openapi`.

use std::io::Write;

pub(super) fn print() -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", crate::http::OPENAPI)?;
    Ok(())
}
