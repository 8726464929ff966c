//! Files that only their owner may read; among them the secret that the service makes for itself where none is set.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
/// finds it finds all of it. Refuses one that is there already, and never replaces one. Tells its size. Dropped before that, it
/// leaves nothing.
pub async fn appear(
    file: &Path,
    write: impl AsyncFnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let is_there = || format!("{} is there already; give another name, or move it away", file.display());
    ensure!(fs::symlink_metadata(file).is_err(), is_there());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cant = || format!("can't write {}", file.display());
    let draft = Draft::beside(file).with_context(cant)?;
    write(&draft.0).await?;
    let written = File::open(&draft.0).with_context(cant)?;
    written.sync_all().with_context(cant)?;
    let bytes = written.metadata().with_context(cant)?.len();
    let named = match fs::hard_link(&draft.0, file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => claim(&draft.0, file),
        linked => linked,
    };
    match named {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => bail!(is_there()),
        named => named.with_context(cant)?,
    }
    drop(draft);
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(cant)?;
    Ok(bytes)
}

/// What is to become a file, under a name that no other process has. It is gone when this is dropped, and what a database keeps
/// beside itself with it; where the process is killed it stays, and is in nobody's way.
struct Draft(PathBuf);

impl Draft {
    fn beside(file: &Path) -> io::Result<Draft> {
        let mut draft = file.as_os_str().to_owned();
        draft.push(format!(".{}.part", secret::base64url(&secret::random::<12>())));
        private_file().create_new(true).open(&draft)?;
        Ok(Draft(draft.into()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let mut journal = self.0.as_os_str().to_owned();
        journal.push("-journal");
        for left in [self.0.as_os_str(), &journal] {
            let _ = fs::remove_file(left);
        }
    }
}

/// Gives a draft its name where the file system has no links: the name is taken first, by an empty file, so that nobody else's is
/// replaced. For that moment, and where the process is killed in it, an empty file is what is found.
fn claim(draft: &Path, file: &Path) -> io::Result<()> {
    private_file().create_new(true).open(file)?;
    fs::rename(draft, file).inspect_err(|_| {
        let _ = fs::remove_file(file);
    })
}

/// An empty file that only its owner may read, where there is none. One that is there already stays as it is. SQLite
/// gives the files beside its database the mode of the database.
pub fn make_private_file(file: &Path) -> io::Result<()> {
    private_file().create(true).open(file).map(drop)
}

/// As [`make_private_file`], for whom `other` belongs to, as SQLite does with the files that it makes: who looks at a database as root
/// leaves nothing that its owner can't open. Only what is made here changes hands: what is there may be another's link to anything.
pub fn make_private_file_like(file: &Path, other: &Path) -> io::Result<()> {
    match private_file().create_new(true).open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(made) => {
            // Where that is not allowed, whoever made it is not root, and uses it too.
            #[cfg(unix)]
            if let Ok(owner) = fs::metadata(other) {
                use std::os::unix::fs::{MetadataExt, fchown};
                fchown(&made, Some(owner.uid()), Some(owner.gid())).ok();
            }
            drop(made);
            Ok(())
        }
    }
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

    /// As root, which is who can give files away; elsewhere all are one's own.
    #[cfg(unix)]
    #[test]
    fn a_file_beside_another_belongs_to_whom_that_does_and_no_link_is_followed() {
        use std::os::unix::fs::{MetadataExt, chown, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let owner = |name: &str| fs::metadata(path(name)).unwrap().uid();
        for name in ["database", "of_root"] {
            make_private_file(&path(name)).unwrap();
        }
        chown(path("database"), Some(65534), Some(65534)).ok();
        make_private_file_like(&path("lock"), &path("database")).unwrap();
        assert_eq!(owner("lock"), owner("database"));
        let before = owner("of_root");
        symlink(path("of_root"), path("link")).unwrap();
        make_private_file_like(&path("link"), &path("database")).unwrap();
        assert_eq!(owner("of_root"), before);
    }

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

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn of_two_that_appear_at_once_one_does_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let (both_began, at) = (&tokio::sync::Barrier::new(2), folder.path());
        let appear = |text: &'static str| {
            appear(&file, async move |draft: &Path| {
                both_began.wait().await;
                assert_eq!(names(at).len(), 2);
                Ok(fs::write(draft, text)?)
            })
        };
        // Who came last to where both wait goes on first.
        let (late, early) = tokio::join!(appear("late"), appear("early"));
        assert_eq!(early.unwrap(), 5);
        assert!(late.unwrap_err().to_string().contains("is there already"));
        assert_eq!((names(at), &*fs::read(&file).unwrap()), (vec!["file".to_owned()], &b"early"[..]));
    }

    #[tokio::test]
    async fn what_is_given_up_before_it_appears_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let begun = std::cell::Cell::new(false);
        let appears = appear(&file, async |draft: &Path| {
            fs::write(format!("{}-journal", draft.display()), "SQLite's")?;
            begun.set(true);
            std::future::pending().await
        });
        tokio::select! {
            biased;
            _ = appears => panic!("it was never filled"),
            () = std::future::ready(()) => {}
        }
        assert!(begun.get());
        assert_eq!(names(folder.path()).len(), 0);
    }

    #[test]
    fn without_links_nothing_is_replaced_either() {
        let folder = tempfile::tempdir().unwrap();
        let (draft, file) = (folder.path().join("draft"), folder.path().join("file"));
        fs::write(&draft, "new").unwrap();
        fs::write(&file, "old").unwrap();
        assert_eq!(claim(&draft, &file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((fs::read(&draft).unwrap(), fs::read(&file).unwrap()), (b"new".into(), b"old".into()));
        fs::remove_file(&file).unwrap();
        claim(&draft, &file).unwrap();
        assert_eq!(
            (names(folder.path()), fs::read(&file).unwrap()),
            (vec!["file".to_owned()], b"new".into())
        );
        // A name that was taken in vain is given up.
        assert!(claim(&draft, &folder.path().join("another")).is_err());
        assert_eq!(names(folder.path()), ["file"]);
    }
}
