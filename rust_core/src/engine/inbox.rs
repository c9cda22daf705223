//! What waits for the two threads: requests in the order of the calls, and beside them the lazy queue.
use super::api::{Lazy, Queued, Scan};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub enum Call {
    Read,
    Scan(Scan),
    Count(String),
    Commit,
    Flush,
    Backup(PathBuf),
    Close,
}

impl Call {
    pub fn is_commit(&self) -> bool {
        matches!(self, Self::Commit)
    }

    /// Whether the reader thread serves it.
    pub fn is_reading(&self) -> bool {
        matches!(self, Self::Read | Self::Scan(_) | Self::Count(_))
    }
}

pub struct Request<J> {
    pub job: J,
    pub call: Call,
    pub since: Instant,
}

impl<J> Request<J> {
    pub fn new(job: J, call: Call) -> Self {
        Self { job, call, since: Instant::now() }
    }
}

/// What a thread takes at once: some requests, and for the writer the lazy queue, which goes first.
pub struct Batch<J> {
    pub requests: Vec<Request<J>>,
    pub lazy: Vec<J>,
}

impl<J> Default for Batch<J> {
    fn default() -> Self {
        Self { requests: Vec::new(), lazy: Vec::new() }
    }
}

/// How a wait at the inbox ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    Work,
    /// Nothing came in time.
    Nothing,
    /// Shut, and nothing is left.
    End,
}

struct Inner<J> {
    requests: VecDeque<Request<J>>,
    lazy: Vec<J>,
    /// Of the queue and of what is being flushed.
    unsaved: usize,
    unsaved_bytes: usize,
    /// When the lazy queue is due at the latest.
    due: Option<Instant>,
    /// Not before this, after a failed flush, unless somebody asks.
    backing_off: bool,
    commit_after: Option<usize>,
    /// Nothing is taken any more: what comes is given back.
    shut: bool,
    asleep: bool,
}

pub struct Inbox<J> {
    inner: Mutex<Inner<J>>,
    arrived: Condvar,
    lazy: Option<Lazy>,
    /// Most requests that are taken at once.
    most: usize,
}

impl<J> Inbox<J> {
    pub fn new(most: usize, lazy: Option<Lazy>) -> Self {
        let inner = Inner {
            requests: VecDeque::new(),
            lazy: Vec::new(),
            unsaved: 0,
            unsaved_bytes: 0,
            due: None,
            backing_off: false,
            commit_after: None,
            shut: false,
            asleep: false,
        };
        Self { inner: Mutex::new(inner), arrived: Condvar::new(), lazy, most }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<J>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner) // whole after any panic: nothing in here runs foreign code
    }

    /// Hand over; gives the request back where the inbox is shut.
    pub fn send(&self, request: Request<J>) -> Result<(), Request<J>> {
        let mut inner = self.lock();
        if inner.shut {
            return Err(request);
        }
        inner.requests.push_back(request);
        self.wake(inner);
        Ok(())
    }

    /// Append to the lazy queue: `add` extends its newest job, or returns another one. Where the inbox is shut it gets
    /// none to extend, and what it returns is given back.
    pub fn queue(
        &self,
        changes: usize,
        bytes: usize,
        add: impl FnOnce(Option<&mut J>) -> Option<J>,
    ) -> Result<Queued, Option<J>> {
        let mut inner = self.lock();
        let Some(lazy) = self.lazy.filter(|_| !inner.shut) else { return Err(add(None)) };
        if let Some(job) = add(inner.lazy.last_mut()) {
            inner.lazy.push(job);
        }
        inner.unsaved += changes;
        inner.unsaved_bytes += bytes;
        let (unsaved, unsaved_bytes) = (inner.unsaved, inner.unsaved_bytes);
        let at_limit = unsaved >= lazy.max_unsaved || unsaved_bytes >= lazy.max_unsaved_bytes;
        let first = inner.due.is_none();
        if first {
            inner.due = Some(Instant::now() + lazy.flush_interval);
        }
        if first || (at_limit && !inner.backing_off) {
            self.wake(inner);
        }
        let full =
            unsaved >= lazy.max_unsaved.saturating_mul(2) || unsaved_bytes >= lazy.max_unsaved_bytes.saturating_mul(2);
        Ok(Queued { unsaved, unsaved_bytes, full })
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner<J>>) {
        if std::mem::take(&mut inner.asleep) {
            drop(inner);
            self.arrived.notify_one();
        }
    }

    /// Block until there is something to do and move it into `batch`; for `patience` at most.
    pub fn take(&self, batch: &mut Batch<J>, patience: Option<Duration>) -> Took {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut inner = self.lock();
        loop {
            let count = self.ready(&inner);
            let lazy_due = self.is_lazy_due(&inner);
            if count > 0 || lazy_due {
                batch.requests.extend(inner.requests.drain(..count));
                if self.lazy.is_some() {
                    std::mem::swap(&mut batch.lazy, &mut inner.lazy);
                    inner.due = None;
                    inner.backing_off = false;
                }
                return Took::Work;
            }
            if inner.shut && inner.requests.is_empty() {
                return Took::End;
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Took::Nothing;
            }
            inner = self.sleep(inner, until);
        }
    }

    /// How many requests may be taken now: commits that share one transaction, or one other request.
    fn ready(&self, inner: &Inner<J>) -> usize {
        let Some(first) = inner.requests.front() else { return 0 };
        if first.call.is_reading() {
            return inner.requests.iter().take(self.most).take_while(|request| request.call.is_reading()).count();
        }
        if !first.call.is_commit() {
            return 1;
        }
        let most = inner.commit_after.unwrap_or(self.most);
        let commits = inner.requests.iter().take(most).take_while(|request| request.call.is_commit()).count();
        let barrier = commits < inner.requests.len();
        if inner.commit_after.is_some() && commits < most && !barrier && !inner.shut { 0 } else { commits }
    }

    fn is_lazy_due(&self, inner: &Inner<J>) -> bool {
        let (Some(lazy), Some(due)) = (self.lazy, inner.due) else { return false };
        let at_limit = inner.unsaved >= lazy.max_unsaved || inner.unsaved_bytes >= lazy.max_unsaved_bytes;
        (at_limit && !inner.backing_off) || Instant::now() >= due
    }

    fn sleep<'a>(&'a self, mut inner: MutexGuard<'a, Inner<J>>, until: Option<Instant>) -> MutexGuard<'a, Inner<J>> {
        inner.asleep = true;
        let mut inner = match inner.due.into_iter().chain(until).min() {
            None => self.arrived.wait(inner).unwrap_or_else(PoisonError::into_inner),
            Some(due) => {
                let left = due.saturating_duration_since(Instant::now());
                self.arrived.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        inner.asleep = false;
        inner
    }

    /// A flush is over: these are saved.
    pub fn saved(&self, changes: usize, bytes: usize) {
        let mut inner = self.lock();
        inner.unsaved = inner.unsaved.saturating_sub(changes);
        inner.unsaved_bytes = inner.unsaved_bytes.saturating_sub(bytes);
    }

    /// A flush did not apply: put its jobs back in front and try again after `pause`.
    pub fn put_back(&self, jobs: &mut Vec<J>, pause: Duration) {
        let mut inner = self.lock();
        jobs.append(&mut inner.lazy);
        std::mem::swap(jobs, &mut inner.lazy);
        inner.due = Some(Instant::now() + pause);
        inner.backing_off = true;
    }

    pub fn unsaved(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.unsaved, inner.unsaved_bytes)
    }

    pub fn set_commit_after(&self, calls: Option<usize>) {
        let mut inner = self.lock();
        inner.commit_after = calls.filter(|&calls| calls > 0);
        self.wake(inner);
    }

    /// Withdraw the commits that have waited since before `limit`.
    pub fn withdraw(&self, limit: Instant) -> Vec<Request<J>> {
        let mut inner = self.lock();
        let late =
            inner.requests.iter().take_while(|request| request.call.is_commit() && request.since <= limit).count();
        inner.requests.drain(..late).collect()
    }

    /// Take nothing in any more; what was handed over before is still served.
    pub fn shut(&self) {
        let mut inner = self.lock();
        inner.shut = true;
        self.wake(inner);
    }

    /// A close failed: go on.
    pub fn unshut(&self) {
        self.lock().shut = false;
    }

    /// Take everything that waits.
    pub fn drain(&self, batch: &mut Batch<J>) {
        let mut inner = self.lock();
        batch.requests.extend(inner.requests.drain(..));
        batch.lazy.append(&mut inner.lazy);
        inner.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took<J>(inbox: &Inbox<J>) -> (Took, Vec<J>) {
        let mut batch = Batch::default();
        let took = inbox.take(&mut batch, Some(Duration::ZERO));
        (took, batch.requests.into_iter().map(|request| request.job).collect())
    }

    fn send(inbox: &Inbox<u32>, job: u32, call: Call) {
        assert!(inbox.send(Request::new(job, call)).is_ok());
    }

    #[test]
    fn commits_are_taken_together_up_to_the_next_other_call() {
        let inbox = Inbox::new(3, None);
        for job in 0..4 {
            send(&inbox, job, Call::Commit);
        }
        send(&inbox, 4, Call::Flush);
        send(&inbox, 5, Call::Commit);
        assert_eq!(took(&inbox).1, [0, 1, 2]);
        assert_eq!(took(&inbox).1, [3]);
        assert_eq!(took(&inbox).1, [4]);
        assert_eq!(took(&inbox).1, [5]);
        assert_eq!(took(&inbox).0, Took::Nothing);
    }

    #[test]
    fn commit_after_waits_for_its_number_unless_another_call_is_behind() {
        let inbox = Inbox::new(100, None);
        inbox.set_commit_after(Some(2));
        send(&inbox, 0, Call::Commit);
        assert_eq!(took(&inbox).0, Took::Nothing);
        send(&inbox, 1, Call::Commit);
        send(&inbox, 2, Call::Commit);
        assert_eq!(took(&inbox).1, [0, 1]);
        send(&inbox, 3, Call::Close);
        assert_eq!(took(&inbox).1, [2]);
    }

    #[test]
    fn a_shut_inbox_gives_back_and_serves_what_it_has() {
        let inbox = Inbox::new(100, None);
        send(&inbox, 0, Call::Commit);
        inbox.shut();
        assert!(inbox.send(Request::new(1, Call::Commit)).is_err());
        assert_eq!(took(&inbox).1, [0]);
        assert_eq!(took(&inbox).0, Took::End);
    }

    #[test]
    fn a_flush_that_is_put_back_comes_before_what_came_meanwhile() {
        let hour = Duration::from_secs(3600);
        let lazy = Lazy { flush_interval: hour, max_unsaved: 100, max_unsaved_bytes: 100 };
        let inbox = Inbox::new(100, Some(lazy));
        for job in [0, 1] {
            assert!(inbox.queue(1, 10, |_| Some(job)).is_ok_and(|queued| !queued.full));
        }
        assert_eq!(took(&inbox).0, Took::Nothing, "not due yet");
        let mut batch = Batch::default();
        inbox.drain(&mut batch);
        assert!(inbox.queue(1, 180, |_| Some(2)).is_ok_and(|queued| queued.full && queued.unsaved == 3));
        inbox.put_back(&mut batch.lazy, hour);
        send(&inbox, 9, Call::Flush);
        inbox.take(&mut batch, None);
        assert_eq!(batch.lazy, [0, 1, 2]);
        inbox.saved(3, 200);
        assert_eq!(inbox.unsaved(), (0, 0));
    }
}
