//! A second thread for reads of very many keys: it reads one half while the reader thread reads the other.
//!
use super::os::ThreadId;
use super::packed::Packed;
use super::reader::select;
use super::statement::{Session, Verb};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// What goes to the thread and comes back.
struct Half {
    session: Session,
    table: String,
    keys: Packed,
    found: rusqlite::Result<Packed>,
}

pub struct SecondReader {
    /// None while the thread has it, and after that was lost.
    half: Option<Half>,
    to_thread: Option<Sender<Half>>,
    from_thread: Receiver<Half>,
    id: ThreadId,
    thread: Option<JoinHandle<()>>,
}

impl SecondReader {
    pub fn start(session: Session) -> std::io::Result<Self> {
        let (to_thread, halves) = channel::<Half>();
        let (home, from_thread) = channel();
        let (tell, told) = channel();
        let serve = move || {
            let _ = tell.send(ThreadId::current());
            for mut half in halves {
                let mut values = Packed::default();
                let keys = half.keys.iter().flatten();
                half.found = select(&mut half.session, &half.table, keys, &mut values).map(|()| values);
                if home.send(half).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("asyncdictsqlite-reader-2".into()).spawn(serve)?;
        let id = told.recv().map_err(std::io::Error::other)?;
        let half = Half { session, table: String::new(), keys: Packed::default(), found: Ok(Packed::default()) };
        Ok(Self { half: Some(half), to_thread: Some(to_thread), from_thread, id, thread: Some(thread) })
    }

    /// Begin a read transaction, whose snapshot `see` takes.
    pub fn begin(&mut self, see: impl FnOnce(&mut Session) -> rusqlite::Result<Option<()>>) -> bool {
        let Some(half) = &mut self.half else { return false };
        half.session.control(Verb::Begin).is_ok() && see(&mut half.session).is_ok()
    }

    /// Begin to read these keys.
    pub fn send(&mut self, table: &str, keys: &[&[u8]]) {
        let (Some(mut half), Some(to_thread)) = (self.half.take(), &self.to_thread) else { return };
        table.clone_into(&mut half.table);
        for key in keys {
            half.keys.push(Some(key));
        }
        self.id.keep_apart();
        self.half = to_thread.send(half).err().map(|unsent| unsent.0);
    }

    /// Wait for the values. None: the thread is gone, and nothing was read.
    pub fn receive(&mut self) -> Option<rusqlite::Result<Packed>> {
        let mut half = self.from_thread.recv().ok()?;
        let found = std::mem::replace(&mut half.found, Ok(Packed::default()));
        self.half = Some(half);
        Some(found)
    }

    /// End the read transaction, if there is one.
    pub fn end(&mut self) {
        let Some(half) = &mut self.half else { return };
        half.keys = Packed::default();
        if half.session.in_transaction() {
            let _ = half.session.control(Verb::Rollback);
        }
    }

    /// Whether there is a thread to serve the next read.
    pub fn is_alive(&self) -> bool {
        self.half.is_some()
    }
}

impl Drop for SecondReader {
    fn drop(&mut self) {
        self.to_thread = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic of it is no news: its half never came back
        }
    }
}
