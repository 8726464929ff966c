//! Files that only their owner may read; among them the secret that the service makes for itself where none is set.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::secret::{self, SecretKey};

/// Where it is kept.
pub const SECRET_FILE: &str = "data/secret.key";

/// The secret in `file`, if there is one.
pub fn read_secret(file: &Path) -> anyhow::Result<Option<SecretKey>> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => Ok(Some(SecretKey::from_text(text?.trim()).context("it has fewer than 32 bytes")?)),
    }
}

/// The secret in `file`, made there by the first process that asks, readable by its owner alone.
pub fn make_secret(file: &Path) -> anyhow::Result<SecretKey> {
    make(file)?;
    read_secret(file)?.context("it was removed as soon as it was made")
}

fn make(file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    // Written whole under a name of its own first, then linked: a process that finds the file finds all of it, and of
    // several that make one at once the first wins.
    let draft = file.with_extension(secret::base64url(&secret::random::<12>()));
    let mut written = private_file().create_new(true).open(&draft)?;
    writeln!(written, "{}", secret::base64url(&secret::random::<32>()))?;
    written.sync_all()?;
    let linked = fs::hard_link(&draft, file);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(folder)?.sync_all(),
    }
}

/// A folder that only its owner may enter: password hashes and the secret lie there. One that is there already stays
/// as it is.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Whether users other than its owner and the owner's group may read, change or run it. The group may be given it on purpose, as
/// Kubernetes does.
pub fn is_open_to_everyone(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    let open = std::os::unix::fs::MetadataExt::mode(&fs::metadata(path)?) & 0o007 != 0;
    #[cfg(not(unix))]
    let open = false;
    Ok(open)
}

/// Writes a file that only its owner may read: whoever finds it finds all of it. One of that name is replaced.
pub fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let draft = file.with_extension(secret::base64url(&secret::random::<12>()));
    let mut written = private_file().create_new(true).open(&draft)?;
    let renamed =
        written.write_all(bytes).and_then(|()| written.sync_all()).and_then(|()| fs::rename(&draft, file));
    if renamed.is_err() {
        let _ = fs::remove_file(&draft);
    }
    renamed?;
    File::open(folder)?.sync_all()
}

/// Lets a file appear that only its owner may read, once `write` has filled another beside it, which is empty at first: whoever
/// finds it finds all of it. Refuses one that is there already. Tells its size.
pub async fn appear(
    file: &Path,
    write: impl AsyncFnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let is_there = || format!("{} is there already; give another name, or move it away", file.display());
    ensure!(fs::symlink_metadata(file).is_err(), is_there());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{}.part", secret::base64url(&secret::random::<12>())));
    let draft = Path::new(&draft);
    let cant = || format!("can't write {}", file.display());
    private_file().create_new(true).open(draft).with_context(cant)?;
    let written = async {
        write(draft).await?;
        let written = File::open(draft).with_context(cant)?;
        written.sync_all().with_context(cant)?;
        match fs::hard_link(draft, file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(is_there()),
            // Not every file system has links.
            Err(_) => fs::rename(draft, file).with_context(cant)?,
            Ok(()) => {}
        }
        Ok(written.metadata().with_context(cant)?.len())
    };
    let written = written.await;
    let _ = fs::remove_file(draft);
    let bytes = written?;
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(cant)?;
    Ok(bytes)
}

/// An empty file that only its owner may read, where there is none. One that is there already stays as it is. SQLite
/// gives the files beside its database the mode of the database.
pub fn make_private_file(file: &Path) -> io::Result<()> {
    private_file().create(true).open(file).map(drop)
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_that_make_it_at_once_all_get_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data/secret.key");
        let make = || make_secret(&file).unwrap().expose().to_vec();
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0] && secret.len() >= 32));
        assert_eq!(fs::read_dir(folder.path().join("data")).unwrap().count(), 1);
    }

    #[test]
    fn one_that_is_too_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.key");
        fs::write(&file, "short\n").unwrap();
        assert!(read_secret(&file).is_err());
    }
}
