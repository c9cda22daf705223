//! Whose file it is: others' files are refused and not a byte of them changes.
#![allow(clippy::unwrap_used)]
mod common;
use _rust::engine::Class;
use common::{Folder, Store, class};
use std::collections::BTreeMap;
use std::path::Path;

/// Every file of the folder with its bytes, but for our own side file.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let kept = entries.filter(|path| !path.to_string_lossy().ends_with("-adsq"));
    kept.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

fn refused(name: &str, make: impl FnOnce(&Path)) -> (Class, String) {
    let folder = Folder::new(name);
    make(&folder.file());
    let before = contents(&folder.0);
    let failure = Store::try_open(&folder.file(), |_| {}).unwrap_err();
    assert!(contents(&folder.0) == before, "the file was touched");
    (failure.class, failure.message)
}

fn database(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn garbage_is_no_database() {
    let (class, _) = refused("garbage", |path| std::fs::write(path, [b'x'; 5000]).unwrap());
    assert_eq!(class, Class::NotADatabase);
    let (class, _) = refused("short_garbage", |path| std::fs::write(path, "hello").unwrap());
    assert_eq!(class, Class::NotADatabase);
}

#[test]
fn a_file_of_dictsqlite_is_named_with_its_importer() {
    let sql = "CREATE TABLE main(key TEXT PRIMARY KEY, value BLOB)";
    let (class, message) = refused("dictsqlite", |path| database(path, sql));
    assert_eq!(class, Class::SchemaMismatch);
    assert!(message.contains("python -m asyncdictsqlite import"), "{message}");
}

#[test]
fn a_foreign_database_in_wal_mode_keeps_its_wal() {
    let (class, _) = refused("foreign_wal", |path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        connection.execute_batch("CREATE TABLE t(a); PRAGMA wal_checkpoint; INSERT INTO t VALUES(1)").unwrap();
        std::mem::forget(connection); // as if its process had died: the WAL stays
    });
    assert_eq!(class, Class::SchemaMismatch);
}

#[test]
fn a_newer_format_is_named() {
    let sql = "PRAGMA application_id = 0x61647371; PRAGMA user_version = 2; CREATE TABLE t(a)";
    let (class, message) = refused("newer", |path| database(path, sql));
    assert_eq!(class, Class::SchemaMismatch);
    assert!(message.contains("format 2"), "{message}");
}

#[test]
fn another_applications_empty_database_is_refused() {
    let (class, _) = refused("application", |path| database(path, "PRAGMA application_id = 7; VACUUM"));
    assert_eq!(class, Class::SchemaMismatch);
}

#[test]
fn a_table_of_another_shape_is_refused() {
    let folder = Folder::new("shape");
    Store::open(&folder.file(), |_| {}).close().unwrap();
    database(&folder.file(), "DROP TABLE main; CREATE TABLE main(key TEXT PRIMARY KEY NOT NULL, value TEXT)");
    assert_eq!(class(Store::try_open(&folder.file(), |_| {})), Class::SchemaMismatch);
}

#[test]
fn an_empty_file_and_an_empty_database_become_stores() {
    for sql in ["", "CREATE TABLE t(a); DROP TABLE t"] {
        let folder = Folder::new("empty");
        std::fs::write(folder.file(), "").unwrap();
        database(&folder.file(), sql);
        Store::open(&folder.file(), |_| {}).close().unwrap();
        let connection = rusqlite::Connection::open(folder.file()).unwrap();
        let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((number("application_id"), number("user_version"), number("page_size")), (0x6164_7371, 1, 4096));
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }
}

#[test]
fn paths_that_name_no_file_have_their_own_classes() {
    let folder = Folder::new("paths");
    assert_eq!(class(Store::try_open(&folder.0, |_| {})), Class::IsADirectory);
    let missing = Store::new(&folder.file(), |settings| settings.readonly = true);
    assert_eq!(class(missing.wait(missing.send_open())), Class::FileNotFound);
    assert!(!folder.file().exists());
}

#[test]
fn names_with_special_characters_are_plain_paths() {
    let folder = Folder::new("special");
    for name in ["file:x.db?mode=memory", "a b%20#?.db", "ü.db"] {
        let path = folder.0.join(name);
        Store::open(&path, |_| {}).close().unwrap();
        assert!(path.metadata().unwrap().len() > 0);
        Store::open(&path, |_| {}).close().unwrap();
    }
}

#[test]
fn a_new_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("private");
    Store::open(&folder.file(), |_| {}).close().unwrap();
    assert_eq!(folder.file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_file_is_corrupt_and_nothing_is_repaired() {
    let folder = Folder::new("damaged");
    Store::open(&folder.file(), |_| {}).close().unwrap();
    let mut bytes = std::fs::read(folder.file()).unwrap();
    bytes[100..4096].fill(0xff);
    std::fs::write(folder.file(), &bytes).unwrap();
    assert_eq!(class(Store::try_open(&folder.file(), |_| {})), Class::Corrupt);
    assert!(std::fs::read(folder.file()).unwrap() == bytes);
}
