//! Mails as files, where there is no mail server: for trying things out, and for another program to pick up.

use std::path::{Path, PathBuf};

use crate::id::MailId;
use crate::private::write_private;

/// A folder that only its owner may enter, with a file for each mail.
pub(super) struct Files(PathBuf);

impl Files {
    pub fn new(folder: &Path) -> Files {
        Files(folder.to_owned())
    }

    /// Written again, a mail has the same name.
    pub async fn send(&self, id: MailId, mail: Vec<u8>) -> Result<(), String> {
        let file = self.0.join(format!("{id}.eml"));
        let name = file.display().to_string();
        let written = tokio::task::spawn_blocking(move || write_private(&file, &mail)).await;
        let written = written.map_err(std::io::Error::other).and_then(|written| written);
        written.map_err(|error| format!("can't write {name}: {error}"))
    }
}
