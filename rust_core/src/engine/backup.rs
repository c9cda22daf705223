//! A consistent copy in a new file.
use super::failure::Failure;
use super::statement::Session;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Copy the database to `target`, which must not exist; the copy and its folder entry are synced.
pub fn write(session: &Session, target: &Path) -> Result<(), Failure> {
    let io = |error: &std::io::Error| Failure::of_io(error, target);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(target).map_err(|error| io(&error))?;
    let copied = session.connection().execute("VACUUM INTO ?1", [target.to_string_lossy()]);
    let synced = match copied {
        Ok(_) => sync(target).map_err(|error| io(&error)),
        Err(error) => Err(Failure::of_sqlite(&error, 0, target)),
    };
    if synced.is_err() {
        let _ = std::fs::remove_file(target); // the failure is what counts
    }
    synced
}

fn sync(target: &Path) -> std::io::Result<()> {
    File::open(target)?.sync_all()?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
