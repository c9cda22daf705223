//! Two processes on one file: the second one is this test binary itself, told by an environment variable what to do.
#![allow(clippy::unwrap_used, unsafe_code)]
mod common;
use _rust::engine::{Class, Now, Switches};
use common::{Folder, Store, class, put};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const ROLE: &str = "ADSQ_TEST_NEIGHBOUR";

/// The other process: executes one line at a time.
struct Neighbour {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Neighbour {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "neighbour", "--nocapture", "--quiet"])
            .env(ROLE, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut neighbour = Self { child, orders, answers };
        assert_eq!(neighbour.answer(), "ready");
        neighbour
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the neighbour is gone");
            if let Some((_, answer)) = line.trim_end().split_once("> ") {
                return answer.into(); // the test runner writes to the same stream
            }
        }
    }

    fn ask(&mut self, order: &str) -> String {
        self.order(order);
        self.answer()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = writeln!(self.orders, "end");
        let _ = self.child.wait();
    }
}

/// Not a test: the neighbour's side of the others.
#[test]
fn neighbour() {
    let Some(path) = std::env::var_os(ROLE) else { return };
    let store = Store::open(Path::new(&path), |settings| settings.busy_timeout = Duration::from_secs(20));
    println!("> ready");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["put", key, value] => {
                store.commit(vec![put(key, value)]).unwrap();
                println!("> done");
            }
            ["get", key] => println!("> {}", store.get(key).unwrap_or("nothing".into())),
            ["checkpoint"] => {
                let other = rusqlite::Connection::open(Path::new(&path)).unwrap();
                let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
                let busy: i64 = other.query_row(sql, [], |row| row.get(0)).unwrap();
                println!("> {busy}");
            }
            ["hold", seconds] => {
                let other = rusqlite::Connection::open(Path::new(&path)).unwrap();
                other.execute_batch("BEGIN IMMEDIATE").unwrap();
                println!("> held");
                std::thread::sleep(Duration::from_secs_f64(seconds.parse().unwrap()));
                other.execute_batch("ROLLBACK").unwrap();
            }
            ["queue", seconds] => {
                store.lock_queue(true);
                println!("> held");
                std::thread::sleep(Duration::from_secs_f64(seconds.parse().unwrap()));
                store.lock_queue(false);
                println!("> given back");
            }
            ["race", count] => {
                for i in 0..count.parse().unwrap() {
                    store.commit(vec![put(&format!("n{i}"), "v")]).unwrap();
                }
                println!("> done");
            }
            ["crash"] => std::process::abort(),
            _ => break,
        }
    }
    store.close().unwrap();
}

#[test]
fn a_foreign_commit_moves_the_epoch_and_an_own_one_never_does() {
    let folder = Folder::new("epoch");
    let store = Store::open(&folder.file(), |_| {});
    let mut neighbour = Neighbour::start(&folder.file());
    let mut epoch = store.engine.epoch();
    for round in 0..20 {
        store.commit(vec![put("mine", &round.to_string())]).unwrap();
        assert_eq!(store.engine.epoch(), epoch, "an own commit moved the epoch");
        assert!(store.engine.unchanged());
        neighbour.ask(&format!("put theirs {round}"));
        assert!(!store.engine.unchanged());
        assert_eq!(store.engine.epoch(), epoch + 1, "a foreign commit did not move it");
        epoch += 1;
        assert!(matches!(store.engine.read_now("main", b"theirs", false, <[u8]>::to_vec),
            Now::Found(value) if value == round.to_string().as_bytes()));
    }
    assert_eq!(store.engine.stats().foreign_changes, epoch);
    store.close().unwrap();
}

#[test]
fn reads_that_share_a_transaction_see_each_foreign_commit_and_end_for_a_checkpoint() {
    let folder = Folder::new("shared-reads");
    let store = Store::open(&folder.file(), |_| {});
    let mut neighbour = Neighbour::start(&folder.file());
    for round in 0..20 {
        neighbour.ask(&format!("put theirs {round}"));
        for _ in 0..3 {
            assert!(matches!(store.engine.read_now("main", b"theirs", true, <[u8]>::to_vec),
                Now::Found(value) if value == round.to_string().as_bytes()));
        }
    }
    assert_eq!(neighbour.ask("checkpoint"), "1", "a snapshot is held");
    store.engine.end_reads();
    assert_eq!(neighbour.ask("checkpoint"), "0", "none is");
    store.close().unwrap();
}

#[test]
fn a_foreign_commit_right_after_ours_and_before_its_publication_is_seen_as_foreign() {
    let folder = Folder::new("slip_in");
    let store = Store::open(&folder.file(), |_| {});
    let mut neighbour = Neighbour::start(&folder.file());
    store.commit(vec![put("x", "0")]).unwrap();
    let epoch = store.engine.epoch();
    // The writer sleeps up to a second between COMMIT and delivery: the neighbour commits when ours is visible.
    store.engine.inject(Switches { writer_delay: Duration::from_millis(1500), seed: 3, ..Switches::default() });
    let id = store.send(vec![put("mine", "1")]);
    let start = Instant::now();
    while neighbour.ask("get mine") != "1" {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    neighbour.ask("put theirs 1");
    assert!(!store.is_home(id), "the window was missed: the seed gives too short a delay");
    let seen_inside = store.engine.epoch();
    store.wait(id).unwrap();
    assert_eq!((seen_inside, store.engine.epoch()), (epoch + 1, epoch + 1));
    store.engine.inject(Switches::default());
    store.close().unwrap();
}

#[test]
fn own_wal_restarts_keep_the_epoch_and_foreign_ones_move_it() {
    let folder = Folder::new("restart");
    let store = Store::open(&folder.file(), |_| {});
    let epoch = store.engine.epoch();
    let long = |i: usize| i.to_string().repeat(200_000);
    let before = store.engine.stats().checkpoints;
    for i in 0..40 {
        store.commit(vec![put("long", &long(i % 10))]).unwrap();
        assert_eq!(store.engine.epoch(), epoch);
    }
    assert!(store.engine.stats().checkpoints > before, "no restart was tested");
    let mut neighbour = Neighbour::start(&folder.file());
    let epoch = store.engine.epoch();
    assert_eq!(neighbour.ask("checkpoint"), "0");
    assert!(store.engine.epoch() > epoch, "a reset by another process looks like a commit: the safe side");
    store.commit(vec![put("after", "1")]).unwrap();
    store.close().unwrap();
}

#[test]
fn a_neighbour_that_dies_leaves_a_file_that_goes_on() {
    let folder = Folder::new("dies");
    let store = Store::open(&folder.file(), |_| {});
    let mut neighbour = Neighbour::start(&folder.file());
    neighbour.ask("put theirs 1");
    neighbour.order("crash");
    let _ = neighbour.child.wait();
    store.commit(vec![put("mine", "1")]).unwrap();
    assert_eq!(store.get("theirs").as_deref(), Some("1"));
    store.close().unwrap();
}

#[test]
fn two_processes_write_in_turn_and_nothing_is_lost() {
    let folder = Folder::new("race");
    let store = Store::open(&folder.file(), |settings| settings.busy_timeout = Duration::from_secs(20));
    let mut neighbour = Neighbour::start(&folder.file());
    neighbour.order("race 150");
    for i in 0..150 {
        store.commit(vec![put(&format!("m{i}"), "v")]).unwrap();
    }
    assert_eq!(neighbour.answer(), "done");
    assert_eq!(store.scan("", None, false, 1000).len(), 300);
    store.close().unwrap();
}

#[test]
fn a_write_that_waits_longer_than_busy_timeout_is_withdrawn_with_those_behind_it() {
    let folder = Folder::new("busy");
    let store = Store::open(&folder.file(), |settings| {
        settings.busy_timeout = Duration::from_millis(200);
        settings.buffer_size = 1;
    });
    let mut neighbour = Neighbour::start(&folder.file());
    assert_eq!(neighbour.ask("hold 1"), "held");
    let start = Instant::now();
    let ids: Vec<u64> = (0..5).map(|i| store.send(vec![put(&format!("k{i}"), "v")])).collect();
    for id in ids {
        let failure = store.wait(id).unwrap_err();
        assert_eq!((failure.class, failure.applied), (Class::Locked, Some(false)));
    }
    assert!(start.elapsed() < Duration::from_millis(900), "each waited by itself");
    drop(neighbour);
    store.commit(vec![put("k", "v")]).unwrap();
    assert_eq!(store.scan("", None, false, 10), ["k"]);
    store.close().unwrap();
}

#[test]
fn a_turn_that_comes_too_late_is_given_back() {
    let folder = Folder::new("queue");
    let store = Store::open(&folder.file(), |settings| settings.busy_timeout = Duration::from_millis(100));
    let mut neighbour = Neighbour::start(&folder.file());
    assert_eq!(neighbour.ask("queue 0.6"), "held");
    for _ in 0..2 {
        assert_eq!(class(store.commit(vec![put("k", "v")])), Class::Locked);
    }
    assert_eq!(neighbour.answer(), "given back");
    // The turn of the withdrawn writes comes now, on its own thread; a neighbour must not find it taken for long.
    neighbour.ask("put theirs 1");
    store.commit(vec![put("mine", "1")]).unwrap();
    assert_eq!(store.scan("", None, false, 10), ["mine", "theirs"]);
    store.close().unwrap();
}

#[test]
fn a_write_gets_its_turn_when_the_neighbour_gives_it_back() {
    let folder = Folder::new("turn");
    let store = Store::open(&folder.file(), |_| {});
    let mut neighbour = Neighbour::start(&folder.file());
    assert_eq!(neighbour.ask("queue 0.2"), "held");
    store.commit(vec![put("k", "v")]).unwrap();
    assert_eq!(neighbour.answer(), "given back");
    store.close().unwrap();
}

#[test]
fn two_processes_may_create_one_file_at_once() {
    for round in 0..5 {
        let folder = Folder::new(&format!("create{round}"));
        let path = folder.file();
        let starting = std::thread::spawn({
            let path = path.clone();
            move || Neighbour::start(&path)
        });
        let store = Store::open(&path, |_| {});
        let mut neighbour = starting.join().unwrap();
        neighbour.ask("put a 1");
        assert_eq!(store.get("a").as_deref(), Some("1"));
        store.close().unwrap();
    }
}

#[test]
fn an_exclusive_engine_locks_foreign_tools_out_and_is_locked_out_by_them() {
    let folder = Folder::new("excl");
    let store = Store::open(&folder.file(), |settings| settings.exclusive = true);
    store.commit(vec![put("k", "v")]).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "foreign_tool", "--nocapture", "--quiet"])
        .env(ROLE, folder.file())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("> locked"), "{output:?}");
    store.close().unwrap();
    let mut neighbour = Neighbour::start(&folder.file());
    let outcome = Store::try_open(&folder.file(), |settings| {
        settings.exclusive = true;
        settings.busy_timeout = Duration::from_millis(50);
    });
    assert_eq!(class(outcome), Class::Locked);
    assert_eq!(neighbour.ask("get k"), "v");
}

/// Not a test: what a stock SQLite in another process meets.
#[test]
fn foreign_tool() {
    let Some(path) = std::env::var_os(ROLE) else { return };
    let connection = rusqlite::Connection::open(Path::new(&path)).unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    match connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)) {
        Ok(_) => println!("> read"),
        Err(_) => println!("> locked"),
    }
}
