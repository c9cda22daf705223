//! A store for tests: jobs of plain bytes, and a sink that one can wait at.
#![allow(unsafe_code, dead_code, clippy::unwrap_used, clippy::expect_used)] // each test file uses its share
use _rust::engine::{
    Answer, Change, Class, Engine, Failure, Job, Kind, Lazy, Notice, Outcome, Scan, Settings, Sink, Synchronous, Was,
};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct Do {
    pub kind: Kind,
    pub table: String,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub expected: Vec<u8>,
}

impl Do {
    pub fn new(kind: Kind, key: &str, value: &str) -> Self {
        Self { kind, table: "main".into(), key: key.into(), value: value.into(), expected: Vec::new() }
    }

    pub fn on(self, table: &str) -> Self {
        Self { table: table.into(), ..self }
    }
}

pub fn put(key: &str, value: &str) -> Do {
    Do::new(Kind::Put, key, value)
}

pub fn delete(key: &str) -> Do {
    Do::new(Kind::Delete, key, "")
}

pub fn create(table: &str) -> Do {
    Do::new(Kind::Create, "", "bytes").on(table)
}

pub struct Request {
    pub id: u64,
    pub table: String,
    pub keys: Vec<Vec<u8>>,
    pub changes: Vec<Do>,
    pub old: bool,
}

impl Job for Request {
    fn len(&self) -> usize {
        self.keys.len().max(self.changes.len())
    }
    fn table(&self) -> &str {
        &self.table
    }
    fn key(&self, index: usize) -> &[u8] {
        &self.keys[index]
    }
    fn change(&self, index: usize) -> Change<'_> {
        let Do { kind, table, key, value, expected } = &self.changes[index];
        Change { kind: *kind, table, key, value, expected, text: false }
    }
    fn wants_old(&self) -> bool {
        self.old
    }
}

#[derive(Default)]
struct Came {
    /// Nobody was woken yet.
    delivered: Vec<(u64, Outcome)>,
    outcomes: HashMap<u64, Outcome>,
    order: Vec<u64>,
    notices: Vec<Notice>,
}

#[derive(Default)]
pub struct Home {
    came: Mutex<Came>,
    arrived: Condvar,
}

impl Sink<Request> for Home {
    fn deliver(&self, done: &mut Vec<(Request, Outcome)>) {
        self.came.lock().unwrap().delivered.extend(done.drain(..).map(|(job, outcome)| (job.id, outcome)));
    }
    fn wake(&self) {
        let mut came = self.came.lock().unwrap();
        for (id, outcome) in std::mem::take(&mut came.delivered) {
            came.order.push(id);
            assert!(came.outcomes.insert(id, outcome).is_none(), "a job came home twice");
        }
        self.arrived.notify_all();
    }
    fn notice(&self, notice: Notice) {
        self.came.lock().unwrap().notices.push(notice);
        self.arrived.notify_all();
    }
}

pub struct Store {
    pub engine: Engine<Request>,
    pub home: Arc<Home>,
    next: AtomicU64,
    side: File,
}

impl Store {
    pub fn new(path: &Path, change: impl FnOnce(&mut Settings)) -> Self {
        let mut side_path = path.as_os_str().to_owned();
        side_path.push("-adsq");
        let side = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(side_path).unwrap();
        let mut settings = Settings {
            path: path.to_owned(),
            readonly: false,
            exclusive: false,
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(5),
            buffer_size: 100,
            lazy: None,
            side_lock: Some(side.as_raw_fd()),
        };
        change(&mut settings);
        let home = Arc::new(Home::default());
        let engine = Engine::new(settings, Arc::<Home>::clone(&home));
        Self { engine, home, next: AtomicU64::new(1), side }
    }

    /// Open with a table "main".
    pub fn open(path: &Path, change: impl FnOnce(&mut Settings)) -> Self {
        let store = Self::new(path, change);
        store.wait(store.send_open()).unwrap();
        store.commit(vec![create("main")]).unwrap();
        store
    }

    pub fn try_open(path: &Path, change: impl FnOnce(&mut Settings)) -> Result<Answer, Failure> {
        let store = Self::new(path, change);
        let answer = store.wait(store.send_open());
        store.close().unwrap();
        answer
    }

    fn request(&self, keys: &[&str], changes: Vec<Do>, old: bool) -> (Request, u64) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let keys = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        (Request { id, table: "main".into(), keys, changes, old }, id)
    }

    /// Take or give back the writers' queue as a writer of this process would.
    pub fn lock_queue(&self, take: bool) {
        // SAFETY: zero is a valid flock; fcntl reads it during the call.
        let code = unsafe {
            let mut request: libc::flock = std::mem::zeroed();
            request.l_type = if take { libc::F_WRLCK } else { libc::F_UNLCK } as libc::c_short;
            (request.l_start, request.l_len) = (1, 1);
            libc::fcntl(self.side.as_raw_fd(), libc::F_SETLKW, &raw const request)
        };
        assert_eq!(code, 0);
    }

    pub fn send_open(&self) -> u64 {
        let (job, id) = self.request(&[], vec![], false);
        self.engine.open(job);
        id
    }

    pub fn send(&self, changes: Vec<Do>) -> u64 {
        let (job, id) = self.request(&[], changes, false);
        self.engine.commit(job);
        id
    }

    pub fn send_old(&self, changes: Vec<Do>) -> u64 {
        let (job, id) = self.request(&[], changes, true);
        self.engine.commit(job);
        id
    }

    pub fn queue(&self, changes: Vec<Do>) -> u64 {
        let (job, id) = self.request(&[], changes, false);
        self.engine.queue(job);
        id
    }

    pub fn send_read(&self, keys: &[&str]) -> u64 {
        let (job, id) = self.request(keys, vec![], false);
        self.engine.read(job);
        id
    }

    pub fn send_with(&self, hand_over: impl FnOnce(&Engine<Request>, Request)) -> u64 {
        let (job, id) = self.request(&[], vec![], false);
        hand_over(&self.engine, job);
        id
    }

    pub fn wait(&self, id: u64) -> Outcome {
        let mut came = self.home.came.lock().unwrap();
        loop {
            if let Some(outcome) = came.outcomes.remove(&id) {
                return outcome;
            }
            let (back, timeout) = self.home.arrived.wait_timeout(came, PATIENCE).unwrap();
            assert!(!timeout.timed_out(), "job {id} never came home");
            came = back;
        }
    }

    pub fn is_home(&self, id: u64) -> bool {
        self.home.came.lock().unwrap().outcomes.contains_key(&id)
    }

    pub fn order(&self) -> Vec<u64> {
        self.home.came.lock().unwrap().order.clone()
    }

    pub fn wait_notice(&self) -> Notice {
        let mut came = self.home.came.lock().unwrap();
        while came.notices.is_empty() {
            let (back, timeout) = self.home.arrived.wait_timeout(came, PATIENCE).unwrap();
            assert!(!timeout.timed_out(), "no notice came");
            came = back;
        }
        came.notices.remove(0)
    }

    pub fn was(&self, id: u64) -> Vec<Was> {
        match self.wait(id) {
            Ok(Answer::Committed { was, .. }) => was,
            other => panic!("not committed: {other:?}"),
        }
    }

    pub fn commit(&self, changes: Vec<Do>) -> Outcome {
        self.wait(self.send(changes))
    }

    pub fn get(&self, key: &str) -> Option<String> {
        match self.wait(self.send_read(&[key])) {
            Ok(Answer::Values { values, .. }) => values.get(0).map(|value| String::from_utf8(value.to_vec()).unwrap()),
            other => panic!("not read: {other:?}"),
        }
    }

    pub fn scan(&self, start: &str, end: Option<&str>, reverse: bool, rows: usize) -> Vec<String> {
        let scan = Scan {
            table: "main".into(),
            start: start.into(),
            end: end.map(Into::into),
            reverse,
            rows,
            size_bytes: 1 << 20,
            values: true,
        };
        match self.wait(self.send_with(|engine, job| engine.scan(job, scan))) {
            Ok(Answer::Rows(rows)) => {
                rows.iter().step_by(2).map(|key| String::from_utf8(key.unwrap().to_vec()).unwrap()).collect()
            }
            other => panic!("not read: {other:?}"),
        }
    }

    pub fn flush(&self) -> Outcome {
        self.wait(self.send_with(Engine::flush))
    }

    pub fn close(&self) -> Outcome {
        self.wait(self.send_with(Engine::close))
    }
}

pub fn lazy(settings: &mut Settings) {
    settings.lazy =
        Some(Lazy { flush_interval: Duration::from_secs(3600), max_unsaved: 1000, max_unsaved_bytes: 1 << 20 });
}

pub fn class(outcome: Outcome) -> Class {
    outcome.expect_err("it should have failed").class
}

/// A folder of this test alone, on a real file system; gone when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let base = std::env::var_os("CARGO_TARGET_TMPDIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
        let path = base.join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
