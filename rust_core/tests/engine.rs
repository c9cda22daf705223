//! One file, one process: commits, reads, pages, flushes, close.
#![allow(clippy::unwrap_used, unsafe_code)]
mod common;
use _rust::engine::{Answer, Class, Engine, Fault, Kind, Notice, Now, Scan, State, Switches, Synchronous, Was};
use common::{Do, Folder, Store, class, create, delete, lazy, put};
use std::time::Duration;

#[test]
fn a_committed_value_is_read_back() {
    let folder = Folder::new("read_back");
    let store = Store::open(&folder.file(), |_| {});
    store.commit(vec![put("k", "v")]).unwrap();
    assert_eq!(store.get("k").as_deref(), Some("v"));
    assert_eq!(store.get("other"), None);
    store.close().unwrap();
    let store = Store::open(&folder.file(), |_| {});
    assert_eq!(store.get("k").as_deref(), Some("v"));
    store.close().unwrap();
}

#[test]
fn waiting_calls_share_one_commit() {
    let folder = Folder::new("group");
    let store = Store::open(&folder.file(), |_| {});
    let before = store.engine.stats();
    store.engine.inject(Switches { commit_after: Some(8), ..Switches::default() });
    let ids: Vec<u64> = (0..16).map(|i| store.send(vec![put(&format!("k{i}"), "v")])).collect();
    for id in &ids {
        store.wait(*id).unwrap();
    }
    let after = store.engine.stats();
    assert_eq!((after.commits - before.commits, after.writes - before.writes), (2, 16));
    assert_eq!(after.syncs - before.syncs, 2, "one sync for each commit, none else");
    store.engine.inject(Switches::default());
    store.close().unwrap();
}

#[test]
fn a_group_is_bounded_by_buffer_size_and_a_call_is_never_split() {
    let folder = Folder::new("bounded");
    let store = Store::open(&folder.file(), |settings| settings.buffer_size = 4);
    let before = store.engine.stats().commits;
    let big: Vec<Do> = (0..50).map(|i| put(&format!("b{i}"), "v")).collect();
    store.engine.inject(Switches { commit_after: Some(4), ..Switches::default() });
    let ids: Vec<u64> = (0..4).map(|_| store.send(big.clone())).collect();
    for id in ids {
        store.wait(id).unwrap();
    }
    assert_eq!(store.engine.stats().commits - before, 1);
    store.engine.inject(Switches::default());
    store.close().unwrap();
}

#[test]
fn results_inside_a_group_are_as_in_the_order_of_the_calls() {
    let folder = Folder::new("call_order");
    let store = Store::open(&folder.file(), |_| {});
    store.engine.inject(Switches { commit_after: Some(7), ..Switches::default() });
    let absent = |key: &str, value: &str| Do::new(Kind::PutIfAbsent, key, value);
    let equal = Do { expected: b"1".to_vec(), ..Do::new(Kind::PutIfEqual, "b", "2") };
    let ids = [
        store.send_old(vec![put("b", "1")]),
        store.send_old(vec![absent("a", "first")]),
        store.send_old(vec![absent("a", "second")]),
        store.send_old(vec![equal]),
        store.send_old(vec![delete("a")]),
        store.send_old(vec![delete("a"), put("z", "9")]),
        store.send_old(vec![put("b", "3")]),
    ];
    let was = |there: bool, old: Option<&str>| Was { there, old: old.map(|old| old.as_bytes().to_vec()) };
    let results: Vec<Vec<Was>> = ids.iter().map(|id| store.was(*id)).collect();
    assert_eq!(results[0], [was(false, None)]);
    assert_eq!(results[1], [was(false, None)]);
    assert_eq!(results[2], [was(true, Some("first"))]);
    assert_eq!(results[3], [was(true, Some("1"))]);
    assert_eq!(results[4], [was(true, Some("first"))]);
    assert_eq!(results[5], [was(false, None), was(false, None)]);
    assert_eq!(results[6], [was(true, Some("2"))]);
    store.engine.inject(Switches::default());
    assert_eq!(store.get("a"), None);
    assert_eq!(store.get("b").as_deref(), Some("3"));
    store.close().unwrap();
}

#[test]
fn clear_keeps_its_place_among_its_neighbours() {
    let folder = Folder::new("clear");
    let store = Store::open(&folder.file(), |_| {});
    store.commit(vec![put("z", "1"), Do::new(Kind::Clear, "", ""), put("a", "2")]).unwrap();
    assert_eq!(store.scan("", None, false, 10), ["a"]);
    store.close().unwrap();
}

#[test]
fn a_call_that_fails_by_its_own_fault_fails_alone_and_whole() {
    let folder = Folder::new("alone");
    let store = Store::open(&folder.file(), |_| {});
    let before = store.engine.stats().commits;
    store.engine.inject(Switches { commit_after: Some(3), ..Switches::default() });
    let good = store.send(vec![put("a", "1")]);
    let bad = store.send(vec![put("b", "1"), put("c", "1").on("nowhere")]);
    let other = store.send(vec![put("d", "1")]);
    assert_eq!(class(store.wait(bad)), Class::SchemaMismatch);
    store.wait(good).unwrap();
    store.wait(other).unwrap();
    store.engine.inject(Switches::default());
    assert_eq!(store.scan("", None, false, 10), ["a", "d"]);
    assert_eq!(store.engine.stats().commits - before, 1);
    store.close().unwrap();
}

#[test]
fn an_injected_disk_full_applies_nothing_and_the_store_goes_on() {
    let folder = Folder::new("full");
    let store = Store::open(&folder.file(), |_| {});
    store.engine.inject(Switches { writer_fault: Some((1, Fault::Full)), ..Switches::default() });
    let failure = store.commit(vec![put("a", "1")]).unwrap_err();
    assert_eq!((failure.class, failure.applied), (Class::DiskFull, Some(false)));
    store.commit(vec![put("b", "1")]).unwrap();
    assert_eq!(store.scan("", None, false, 10), ["b"]);
    store.close().unwrap();
}

#[test]
fn a_failed_sync_stops_the_engine_and_every_later_call_says_so() {
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        let folder = Folder::new("sync");
        let store = Store::open(&folder.file(), |settings| settings.synchronous = synchronous);
        store.engine.inject(Switches {
            writer_fault: Some((1, Fault::Sync)),
            commit_after: Some(2),
            ..Switches::default()
        });
        let ids = [store.send(vec![put("a", "1")]), store.send(vec![put("b", "1")])];
        for id in ids {
            let failure = store.wait(id).unwrap_err();
            assert_eq!((failure.class, failure.applied), (Class::DurabilityUnknown, None));
        }
        assert!(matches!(store.wait_notice(), Notice::Stopped(_)));
        assert_eq!(store.engine.state(), State::Stopped);
        assert_eq!(class(store.commit(vec![put("c", "1")])), Class::State);
        assert_eq!(class(store.wait(store.send_read(&["a"]))), Class::State);
        store.close().unwrap();
        Store::open(&folder.file(), |_| {}).close().unwrap();
    }
}

#[test]
fn a_panic_in_the_writer_fails_its_calls_and_the_thread_goes_on() {
    let folder = Folder::new("panic");
    let store = Store::open(&folder.file(), |_| {});
    store.engine.inject(Switches {
        writer_fault: Some((1, Fault::Panic)),
        reader_fault: Some((1, Fault::Panic)),
        ..Switches::default()
    });
    assert_eq!(class(store.commit(vec![put("a", "1")])), Class::Storage);
    assert_eq!(class(store.wait(store.send_read(&["a"]))), Class::Storage);
    store.commit(vec![put("a", "2")]).unwrap();
    assert_eq!(store.get("a").as_deref(), Some("2"));
    store.close().unwrap();
}

#[test]
fn close_finishes_what_is_queued_and_later_calls_are_refused() {
    let folder = Folder::new("close");
    let store = Store::open(&folder.file(), |_| {});
    store.engine.inject(Switches { writer_delay: Duration::from_millis(20), seed: 7, ..Switches::default() });
    let ids: Vec<u64> = (0..50).map(|i| store.send(vec![put(&format!("k{i}"), "v")])).collect();
    let read = store.send_read(&["k0"]);
    let close = store.send_with(Engine::close);
    let late = store.send_with(Engine::close);
    store.wait(close).unwrap();
    for id in ids {
        store.wait(id).unwrap();
    }
    store.wait(read).unwrap();
    store.wait(late).unwrap();
    assert_eq!(store.engine.state(), State::Closed);
    assert_eq!(class(store.commit(vec![put("x", "1")])), Class::Closed);
    store.close().unwrap();
    let store = Store::open(&folder.file(), |_| {});
    assert_eq!(store.scan("", None, false, 100).len(), 50);
    store.close().unwrap();
}

#[test]
fn pages_go_both_ways_and_keep_their_bounds() {
    let folder = Folder::new("pages");
    let store = Store::open(&folder.file(), |_| {});
    store.commit(["a", "b", "c", "d", "é"].map(|key| put(key, "0123456789")).to_vec()).unwrap();
    assert_eq!(store.scan("b", Some("d"), false, 10), ["b", "c"]);
    assert_eq!(store.scan("", None, true, 2), ["é", "d"]);
    assert_eq!(store.scan("b", Some("d"), true, 1), ["c"]);
    let scan = Scan {
        table: "main".into(),
        start: vec![],
        end: None,
        reverse: false,
        rows: 100,
        size_bytes: 15,
        values: true,
    };
    let Ok(Answer::Rows(rows)) = store.wait(store.send_with(|engine, job| engine.scan(job, scan))) else { panic!() };
    assert_eq!(rows.len() / 2, 2, "about 15 bytes");
    let Ok(Answer::Count(count)) = store.wait(store.send_with(|engine, job| engine.count(job, "main".into()))) else {
        panic!()
    };
    assert_eq!(count, 5);
    store.close().unwrap();
}

#[test]
fn adsq_meta_is_scanned_as_a_table() {
    let folder = Folder::new("meta");
    let store = Store::open(&folder.file(), |_| {});
    store.commit(vec![create("other")]).unwrap();
    let scan = Scan {
        table: "adsq_meta".into(),
        start: vec![],
        end: None,
        reverse: false,
        rows: 100,
        size_bytes: 1000,
        values: true,
    };
    let Ok(Answer::Rows(rows)) = store.wait(store.send_with(|engine, job| engine.scan(job, scan))) else { panic!() };
    let names: Vec<_> = rows.iter().map(Option::unwrap).collect();
    assert_eq!(names, [b"main".as_slice(), b"bytes", b"other", b"bytes"]);
    store.close().unwrap();
}

#[test]
fn lazy_changes_are_flushed_in_one_transaction_and_the_last_one_of_a_key_wins() {
    let folder = Folder::new("lazy");
    let store = Store::open(&folder.file(), lazy);
    let before = store.engine.stats().commits;
    let ids: Vec<u64> = (0..20).map(|i| store.queue(vec![put(&format!("k{}", i % 4), &i.to_string())])).collect();
    assert_eq!(store.engine.stats().unsaved, 20);
    let last = store.queue(vec![delete("k0")]);
    store.flush().unwrap();
    for id in ids.into_iter().chain([last]) {
        assert!(matches!(store.wait(id), Ok(Answer::Flushed { flush: 1, .. })));
    }
    let stats = store.engine.stats();
    assert_eq!((stats.commits - before, stats.unsaved, stats.unsaved_bytes), (1, 0, 0));
    assert_eq!(store.get("k0"), None);
    assert_eq!(store.get("k1").as_deref(), Some("17"));
    store.close().unwrap();
}

#[test]
fn a_lazy_clear_wipes_what_was_queued_before_it_only() {
    let folder = Folder::new("lazy_clear");
    let store = Store::open(&folder.file(), lazy);
    store.queue(vec![put("a", "1")]);
    store.queue(vec![Do::new(Kind::Clear, "", "")]);
    store.queue(vec![put("b", "1")]);
    assert_eq!(store.scan("", None, false, 10), ["b"], "a scan flushes first");
    store.close().unwrap();
}

#[test]
fn the_limit_starts_a_flush_and_twice_the_limit_is_full() {
    let folder = Folder::new("limit");
    let store = Store::open(&folder.file(), |settings| {
        lazy(settings);
        settings.lazy.as_mut().unwrap().max_unsaved = 4;
    });
    store.engine.inject(Switches { writer_delay: Duration::from_millis(300), seed: 1, ..Switches::default() });
    let ids: Vec<u64> = (0..4).map(|i| store.queue(vec![put(&format!("k{i}"), "v")])).collect();
    for id in ids {
        store.wait(id).unwrap();
    }
    store.close().unwrap();
}

#[test]
fn a_failed_flush_keeps_everything_and_tries_again() {
    let folder = Folder::new("flush_failed");
    let store = Store::open(&folder.file(), lazy);
    store.engine.inject(Switches { writer_fault: Some((1, Fault::Full)), ..Switches::default() });
    let id = store.queue(vec![put("a", "1")]);
    assert_eq!(class(store.flush()), Class::FlushFailed);
    assert!(!store.is_home(id));
    assert_eq!(store.engine.stats().unsaved, 1);
    assert!(store.engine.stats().last_error.is_some());
    store.wait(id).unwrap(); // the retry, 0.1 s later
    store.close().unwrap();
}

#[test]
fn a_failed_flush_that_nobody_waits_for_is_a_notice_and_a_failed_close_leaves_the_engine_open() {
    let folder = Folder::new("flush_notice");
    let store = Store::open(&folder.file(), |settings| {
        lazy(settings);
        settings.lazy.as_mut().unwrap().flush_interval = Duration::from_millis(10);
    });
    store.engine.inject(Switches { writer_fault: Some((1, Fault::Full)), ..Switches::default() });
    let id = store.queue(vec![put("a", "1")]);
    assert!(matches!(store.wait_notice(), Notice::FlushFailed(_)));
    store.engine.inject(Switches { writer_fault: Some((1, Fault::Full)), ..Switches::default() });
    assert_eq!(class(store.close()), Class::FlushFailed);
    assert_eq!(store.engine.state(), State::Open);
    store.close().unwrap();
    store.wait(id).unwrap();
}

#[test]
fn flush_in_normal_is_one_synced_commit_and_none_when_nothing_was_written() {
    let folder = Folder::new("normal");
    let store = Store::open(&folder.file(), |settings| settings.synchronous = Synchronous::Normal);
    store.flush().unwrap();
    let before = store.engine.stats().syncs;
    store.commit(vec![put("a", "1")]).unwrap();
    assert_eq!(store.engine.stats().syncs, before, "a commit in normal waits for no sync");
    store.flush().unwrap();
    assert_eq!(store.engine.stats().syncs, before + 1);
    store.flush().unwrap();
    assert_eq!(store.engine.stats().syncs, before + 1);
    store.close().unwrap();
}

#[test]
fn the_wal_is_written_back_and_used_again() {
    let folder = Folder::new("wal");
    let store = Store::open(&folder.file(), |settings| settings.synchronous = Synchronous::Normal);
    for i in 0..200 {
        let long = i.to_string().repeat(100_000 / i.to_string().len()); // other bytes: SQLite writes no page that stays equal
        store.commit(vec![put(&format!("k{}", i % 10), &long)]).unwrap();
    }
    let stats = store.engine.stats();
    assert!((3..=8).contains(&stats.checkpoints), "{} checkpoints of 5000 frames", stats.checkpoints);
    let wal = std::fs::metadata(folder.0.join("store.db-wal")).unwrap().len();
    assert!(wal < 8 << 20, "the WAL has {wal} bytes");
    store.close().unwrap();
    assert!(!folder.0.join("store.db-wal").exists(), "the last close removes the WAL");
}

/// SQLite writes pages of it to the WAL more than once, and their headers again with the checksums at the end.
#[test]
fn a_transaction_that_is_larger_than_the_page_cache_is_whole_in_the_wal() {
    for (synchronous, exclusive) in
        [(Synchronous::Full, false), (Synchronous::Normal, false), (Synchronous::Normal, true)]
    {
        let folder = Folder::new("spilled");
        let store = Store::open(&folder.file(), |settings| {
            (settings.synchronous, settings.exclusive) = (synchronous, exclusive);
        });
        let key = |row: usize, page: usize| format!("{row:02}-{page:04}"); // in their order, neighbours are far apart
        for page in 0..1000 {
            let rows = (0..15).map(|row| put(&key(row, page), &"v".repeat(250))).collect();
            store.commit(rows).unwrap();
        }
        let all = (0..15).flat_map(|row| (0..1000).map(move |page| (row, page)));
        store.commit(all.map(|(row, page)| put(&key(row, page), &"w".repeat(250))).collect()).unwrap();
        let copy = Folder::new("spilled-copy");
        for name in ["store.db", "store.db-wal"] {
            std::fs::copy(folder.0.join(name), copy.0.join(name)).unwrap(); // as a kill would leave them
        }
        let found = rusqlite::Connection::open(copy.file()).unwrap();
        let one = |sql: &str| found.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(one("PRAGMA integrity_check"), "ok");
        assert_eq!(one("SELECT count(*) || substr(min(value), 1, 1) FROM main"), "15000w");
        store.close().unwrap();
    }
}

#[test]
fn inline_reads_find_what_is_in_memory_and_leave_long_values_to_the_thread() {
    let folder = Folder::new("inline");
    let store = Store::open(&folder.file(), |_| {});
    store.commit(vec![put("k", "v"), put("long", &"x".repeat(300_000)), put("", "empty")]).unwrap();
    assert_eq!(store.engine.stats().nowait_off, None, "this file system can tell what is in memory");
    let now = |key: &str| store.engine.read_now("main", key.as_bytes(), false, <[u8]>::to_vec);
    assert!(matches!(now("k"), Now::Found(value) if value == b"v"));
    assert!(matches!(now(""), Now::Found(value) if value == b"empty"));
    assert!(matches!(now("other"), Now::Missing));
    assert!(matches!(now("long"), Now::WouldBlock));
    assert_eq!(store.engine.stats().cold_inline, 3);
    store.commit(vec![put("k", "w")]).unwrap();
    assert!(matches!(now("k"), Now::Found(value) if value == b"w"), "no snapshot is kept");
    store.close().unwrap();
    assert!(matches!(now("k"), Now::Failed(_)));
}

#[test]
fn inline_reads_that_share_a_transaction_see_each_own_commit() {
    for exclusive in [false, true] {
        let folder = Folder::new("shared-read");
        let store = Store::open(&folder.file(), |settings| settings.exclusive = exclusive);
        for value in ["v", "w", "x"] {
            store.commit(vec![put("k", value)]).unwrap();
            let now = |hold| store.engine.read_now("main", b"k", hold, <[u8]>::to_vec);
            assert!(matches!(now(true), Now::Found(found) if found == value.as_bytes()));
            assert!(matches!(now(true), Now::Found(found) if found == value.as_bytes()));
        }
        store.close().unwrap();
    }
}

#[test]
fn the_writer_ends_a_shared_read_transaction_before_a_checkpoint() {
    let folder = Folder::new("left-open");
    let store = Store::open(&folder.file(), |settings| settings.synchronous = Synchronous::Normal);
    for i in 0..200 {
        let long = i.to_string().repeat(100_000 / i.to_string().len());
        store.commit(vec![put(&format!("k{}", i % 10), &long)]).unwrap();
        let _ = store.engine.read_now("main", b"k", true, <[u8]>::len);
    }
    let wal = std::fs::metadata(folder.0.join("store.db-wal")).unwrap().len();
    assert!(wal < 8 << 20, "the WAL has {wal} bytes");
    store.close().unwrap();
}

#[test]
fn a_read_of_many_keys_sees_one_state_of_the_file_while_others_commit() {
    let folder = Folder::new("two-readers");
    let store = Store::open(&folder.file(), |settings| settings.synchronous = Synchronous::Normal);
    let keys: Vec<String> = (0..6000).map(|i| format!("k{}", (i * 7919) % 6000)).collect();
    let all: Vec<&str> = keys.iter().map(String::as_str).collect();
    let write = |round: &str| store.send(keys.iter().map(|key| put(key, &format!("{key}:{round}"))).collect());
    store.wait(write("0")).unwrap();
    for round in ["1", "2", "3", "4", "5"] {
        let (written, read) = (write(round), store.send_read(&all));
        let Ok(Answer::Values { values, .. }) = store.wait(read) else { panic!("no values") };
        let values: Vec<String> =
            values.iter().map(|value| String::from_utf8(value.unwrap().to_vec()).unwrap()).collect();
        let seen = values[0].split_once(':').unwrap().1.to_owned();
        assert!(values.iter().zip(&keys).all(|(value, key)| *value == format!("{key}:{seen}")));
        store.wait(written).unwrap();
    }
    store.close().unwrap();
}

#[test]
fn many_inline_reads_come_in_order_until_one_would_block() {
    let folder = Folder::new("many-inline");
    let store = Store::open(&folder.file(), |_| {});
    store.commit(vec![put("a", "1"), put("c", "3"), put("long", &"x".repeat(300_000))]).unwrap();
    let mut found = Vec::new();
    let keys = [b"a".as_slice(), b"b", b"c", b"long", b"a"];
    let answer = store.engine.read_many_now("main", keys.into_iter(), false, |index, value| {
        found.push((index, value.map(<[u8]>::to_vec)));
        true
    });
    assert_eq!(answer, (3, true));
    assert_eq!(found, [(0, Some(b"1".to_vec())), (1, None), (2, Some(b"3".to_vec()))]);
    assert_eq!(store.engine.stats().cold_inline, 3);
    store.close().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn an_inline_read_of_a_page_that_is_not_in_memory_would_block_and_the_thread_fetches_it() {
    use std::os::fd::AsRawFd;
    let folder = Folder::new("evicted");
    let store = Store::open(&folder.file(), |_| {});
    let long = "x".repeat(3000);
    store.commit((0..2000).map(|i| put(&format!("k{i:05}"), &long)).collect()).unwrap();
    store.close().unwrap();
    let file = std::fs::File::open(folder.file()).unwrap();
    file.sync_all().unwrap();
    // SAFETY: advice about an open file.
    assert_eq!(unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) }, 0);
    drop(file);
    let store = Store::open(&folder.file(), |_| {});
    let now = |key: &str| store.engine.read_now("main", key.as_bytes(), false, <[u8]>::len);
    assert!(matches!(now("k01000"), Now::WouldBlock));
    assert_eq!(store.get("k01000").as_deref(), Some(long.as_str()));
    assert!(matches!(now("k01000"), Now::Found(3000)));
    store.close().unwrap();
}

#[test]
fn exclusive_keeps_other_connections_out_and_needs_no_epoch() {
    let folder = Folder::new("exclusive");
    let store = Store::open(&folder.file(), |settings| settings.exclusive = true);
    store.commit(vec![put("k", "v")]).unwrap();
    assert!(!store.engine.coherent());
    assert_eq!(store.engine.epoch(), 0);
    assert_eq!(store.get("k").as_deref(), Some("v"));
    assert!(matches!(store.engine.read_now("main", b"k", false, <[u8]>::to_vec), Now::Found(_)));
    store.close().unwrap();
}

#[test]
fn a_backup_is_whole_private_and_refuses_to_overwrite() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("backup");
    let store = Store::open(&folder.file(), lazy);
    store.queue(vec![put("k", "v")]);
    let target = folder.0.join("copy.db");
    let backup = |path: std::path::PathBuf| store.wait(store.send_with(|engine, job| engine.backup(job, path)));
    backup(target.clone()).unwrap();
    assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(class(backup(target.clone())), Class::FileExists);
    assert_eq!(class(backup(folder.0.join("none/copy.db"))), Class::FileNotFound);
    store.close().unwrap();
    let copy = Store::open(&target, |_| {});
    assert_eq!(copy.get("k").as_deref(), Some("v"));
    copy.close().unwrap();
}

#[test]
fn tables_are_made_once_and_names_that_differ_in_case_are_refused() {
    let folder = Folder::new("tables");
    let store = Store::open(&folder.file(), |_| {});
    let was = store.was(store.send_old(vec![create("main")]));
    assert_eq!(was, [Was { there: true, old: Some(b"bytes".to_vec()) }]);
    assert_eq!(class(store.commit(vec![create("MAIN")])), Class::InvalidTableName);
    let drop = store.was(store.send(vec![Do::new(Kind::Drop, "", "")]));
    assert!(drop[0].there);
    assert_eq!(class(store.commit(vec![put("k", "v")])), Class::SchemaMismatch);
    store.commit(vec![create("main")]).unwrap();
    store.commit(vec![put("k", "v")]).unwrap();
    store.close().unwrap();
}

#[test]
fn readonly_reads_and_refuses_to_write() {
    let folder = Folder::new("readonly");
    let store = Store::open(&folder.file(), |_| {});
    store.commit(vec![put("k", "v")]).unwrap();
    store.close().unwrap();
    let store = Store::new(&folder.file(), |settings| settings.readonly = true);
    store.wait(store.send_open()).unwrap();
    assert_eq!(store.get("k").as_deref(), Some("v"));
    assert_eq!(class(store.commit(vec![put("k", "w")])), Class::ReadOnly);
    store.close().unwrap();
}

#[test]
fn commits_come_home_in_the_order_of_the_calls() {
    let folder = Folder::new("order");
    let store = Store::open(&folder.file(), |settings| settings.buffer_size = 3);
    let ids: Vec<u64> = (0..40).map(|i| store.send(vec![put(&format!("k{}", 99 - i), "v")])).collect();
    store.close().unwrap();
    let order: Vec<u64> = store.order().into_iter().filter(|id| ids.contains(id)).collect();
    assert_eq!(order, ids);
}
