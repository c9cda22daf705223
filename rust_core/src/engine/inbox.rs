//! What waits for the two threads: requests in the order of the calls, and beside them the lazy queue.
use super::api::{Lazy, Queued, Scan};
use super::lanes::Lanes;
use super::queue::Queue;
use super::sync::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use super::sync::sync::{Mutex, MutexGuard};
use super::sync::thread::{self, Thread};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long the taker looks for more before it sleeps: less than it takes to be woken twice.
const SPIN: Duration = if cfg!(feature = "shuttle") { Duration::ZERO } else { Duration::from_micros(30) };

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

/// What callers leave, with its place in the order of all.
struct Lane<J> {
    requests: Vec<(u64, Request<J>)>,
    lazy: Vec<(u64, J)>,
    /// Nothing is taken any more: what comes is given back.
    shut: bool,
}

impl<J> Default for Lane<J> {
    fn default() -> Self {
        Self { requests: Vec::new(), lazy: Vec::new(), shut: false }
    }
}

/// What was taken out of the lanes and not yet handed out.
struct Taken<J> {
    requests: VecDeque<Request<J>>,
    lazy: Vec<J>,
}

/// Changes and their bytes. One thread at a time adds; the numbers wrap around.
#[derive(Default)]
struct Tally {
    changes: AtomicUsize,
    bytes: AtomicUsize,
}

impl Tally {
    fn add(&self, changes: usize, bytes: usize) {
        for (number, more) in [(&self.changes, changes), (&self.bytes, bytes)] {
            number.store(number.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
        }
    }

    fn since(&self, other: &Self) -> (usize, usize) {
        let difference = |of: fn(&Self) -> &AtomicUsize| {
            of(self).load(Ordering::Relaxed).wrapping_sub(of(other).load(Ordering::Relaxed))
        };
        (difference(|tally| &tally.changes), difference(|tally| &tally.bytes))
    }
}

/// One caller at a time (for the boundary: who holds the GIL) hands over and never waits; one thread takes.
pub struct Inbox<J> {
    lanes: Lanes<Lane<J>>,
    /// Locked by the taker alone.
    taken: Mutex<Taken<J>>,
    lazy: Option<Lazy>,
    /// Most requests that are taken at once.
    most: usize,
    began: Instant,
    /// What was ever queued, which callers count, and what of it was ever saved, which the taker counts: neither needs an
    /// atomic addition, of which a lazy set would feel each.
    queued: Tally,
    saved: Tally,
    /// When the lazy queue is due at the latest, in microseconds since `began`. 0: nothing is queued.
    due: AtomicU64,
    /// Not before this, after a failed flush, unless somebody asks.
    backing_off: AtomicBool,
    /// 0: as many as there are.
    commit_after: AtomicUsize,
    shut: AtomicBool,
    taker: OnceLock<Thread>,
    /// The taker sleeps, or is about to: who leaves something wakes it.
    asleep: AtomicBool,
}

impl<J> Inbox<J> {
    pub fn new(most: usize, lazy: Option<Lazy>) -> Self {
        Self {
            lanes: Lanes::default(),
            taken: Mutex::new(Taken { requests: VecDeque::new(), lazy: Vec::new() }),
            lazy,
            most,
            began: Instant::now(),
            queued: Tally::default(),
            saved: Tally::default(),
            due: AtomicU64::new(0),
            backing_off: AtomicBool::new(false),
            commit_after: AtomicUsize::new(0),
            shut: AtomicBool::new(false),
            taker: OnceLock::new(),
            asleep: AtomicBool::new(false),
        }
    }

    /// Hand over; gives the request back where the inbox is shut.
    pub fn send(&self, request: Request<J>) -> Result<(), Request<J>> {
        self.lanes.leave(|lane, place| {
            if lane.shut {
                return Err(request);
            }
            lane.requests.push((place, request));
            Ok(())
        })?;
        self.wake();
        Ok(())
    }

    /// Add to the lazy queue, or change what is in it; `add` returns by how many changes and bytes it grew. Where the inbox
    /// is shut it gets an empty one, and what it pushes is given back.
    pub fn queue(&self, add: impl FnOnce(&mut Queue<'_, J>) -> (usize, usize)) -> Result<Queued, Option<J>> {
        let Some(lazy) = self.lazy else { return Err(refused(add)) };
        let (unsaved, unsaved_bytes) = self.lanes.leave(|lane, place| {
            if lane.shut {
                return Err(refused(add));
            }
            if let Some((last, _)) = lane.lazy.last_mut()
                && *last + 1 == place
            {
                *last = place;
            }
            let (changes, bytes) = add(&mut Queue::new(&mut lane.lazy, place));
            self.queued.add(changes, bytes);
            Ok(self.unsaved())
        })?;
        // After it was left: who takes it later than this resets `due` first.
        let first = self.due.load(Ordering::Relaxed) == 0 && self.start_timer(lazy.flush_interval);
        let at_limit = unsaved >= lazy.max_unsaved || unsaved_bytes >= lazy.max_unsaved_bytes;
        if first || (at_limit && !self.backing_off.load(Ordering::Relaxed)) {
            self.wake();
        }
        let full =
            unsaved >= lazy.max_unsaved.saturating_mul(2) || unsaved_bytes >= lazy.max_unsaved_bytes.saturating_mul(2);
        Ok(Queued { unsaved, unsaved_bytes, full })
    }

    #[cold]
    fn start_timer(&self, interval: Duration) -> bool {
        self.due.compare_exchange(0, self.micros(Instant::now() + interval), Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    fn micros(&self, instant: Instant) -> u64 {
        instant.duration_since(self.began).as_micros().max(1) as u64
    }

    fn due(&self) -> Option<Instant> {
        let micros = self.due.load(Ordering::SeqCst);
        (micros > 0).then(|| self.began + Duration::from_micros(micros))
    }

    /// Whoever left something before sees the taker asleep, or the taker, which says so before it looks, sees it.
    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(taker) = self.taker.get()
        {
            taker.unpark();
        }
    }

    /// Block until there is something to do and move it into `batch`; for `patience` at most.
    pub fn take(&self, batch: &mut Batch<J>, patience: Option<Duration>) -> Took {
        let until = patience.map(|patience| Instant::now() + patience);
        self.taker.get_or_init(thread::current);
        let mut was_answered = true; // what it took last
        loop {
            let last = self.lanes.last_place();
            if let Some(took) = self.take_now(batch, until) {
                return took;
            }
            if std::mem::take(&mut was_answered) && self.comes_soon(last) {
                continue;
            }
            self.asleep.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            let took = self.take_now(batch, until); // what was left before anybody could see it asleep
            if took.is_none() {
                match self.due().into_iter().chain(until).min() {
                    None => thread::park(),
                    Some(due) => thread::park_timeout(due.saturating_duration_since(Instant::now())),
                }
            }
            self.asleep.store(false, Ordering::SeqCst);
            if let Some(took) = took {
                return took;
            }
        }
    }

    /// Whoever was answered just now may ask again: to be there costs less than to be woken.
    fn comes_soon(&self, last: u64) -> bool {
        let began = Instant::now();
        while self.lanes.last_place() == last {
            if began.elapsed() >= SPIN {
                return false;
            }
            thread::yield_now(); // to who was answered, too, if it waits for this processor
        }
        true
    }

    fn take_now(&self, batch: &mut Batch<J>, until: Option<Instant>) -> Option<Took> {
        let mut taken = self.taken();
        let is_lazy_due = self.is_lazy_due();
        let is_shut = self.shut.load(Ordering::SeqCst); // then all that will ever come is in the lanes
        self.collect(&mut taken);
        let count = self.ready(&taken.requests);
        if count > 0 || is_lazy_due {
            batch.requests.extend(taken.requests.drain(..count));
            if self.lazy.is_some() {
                self.take_lazy(&mut taken, &mut batch.lazy);
            }
            return Some(Took::Work);
        }
        if is_shut && taken.requests.is_empty() {
            return Some(Took::End);
        }
        until.is_some_and(|until| Instant::now() >= until).then_some(Took::Nothing)
    }

    /// All of the lazy queue. What is queued meanwhile starts the timer again.
    fn take_lazy(&self, taken: &mut Taken<J>, lazy: &mut Vec<J>) {
        self.due.store(0, Ordering::SeqCst);
        self.backing_off.store(false, Ordering::Relaxed);
        self.collect(taken);
        lazy.append(&mut taken.lazy);
    }

    fn collect(&self, taken: &mut Taken<J>) {
        let (mut requests, mut lazy) = (Vec::new(), Vec::new());
        self.lanes.each(|mut lane| {
            requests.append(&mut lane.requests);
            lazy.append(&mut lane.lazy);
        });
        requests.sort_by_key(|&(place, _)| place); // is sorted, but where a caller found the first lane locked
        lazy.sort_by_key(|&(place, _)| place);
        taken.requests.extend(requests.into_iter().map(|(_, request)| request));
        taken.lazy.extend(lazy.into_iter().map(|(_, job)| job));
    }

    fn taken(&self) -> MutexGuard<'_, Taken<J>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner) // whole after any panic: nothing in here runs foreign code
    }

    /// How many requests may be taken now: commits that share one transaction, or one other request.
    fn ready(&self, requests: &VecDeque<Request<J>>) -> usize {
        let Some(first) = requests.front() else { return 0 };
        if first.call.is_reading() {
            return requests.iter().take(self.most).take_while(|request| request.call.is_reading()).count();
        }
        if !first.call.is_commit() {
            return 1;
        }
        let commit_after = self.commit_after.load(Ordering::Relaxed);
        let most = if commit_after > 0 { commit_after } else { self.most };
        let commits = requests.iter().take(most).take_while(|request| request.call.is_commit()).count();
        let barrier = commits < requests.len() || self.shut.load(Ordering::SeqCst);
        if commit_after > 0 && commits < most && !barrier { 0 } else { commits }
    }

    fn is_lazy_due(&self) -> bool {
        let (Some(lazy), Some(due)) = (self.lazy, self.due()) else { return false };
        let (unsaved, unsaved_bytes) = self.unsaved();
        let at_limit = unsaved >= lazy.max_unsaved || unsaved_bytes >= lazy.max_unsaved_bytes;
        (at_limit && !self.backing_off.load(Ordering::Relaxed)) || Instant::now() >= due
    }

    /// A flush is over: these are saved.
    pub fn saved(&self, changes: usize, bytes: usize) {
        self.saved.add(changes, bytes);
    }

    /// A flush did not apply: put its jobs back in front and try again after `pause`.
    pub fn put_back(&self, jobs: &mut Vec<J>, pause: Duration) {
        let mut taken = self.taken();
        jobs.append(&mut taken.lazy);
        std::mem::swap(jobs, &mut taken.lazy);
        self.backing_off.store(true, Ordering::Relaxed);
        self.due.store(self.micros(Instant::now() + pause), Ordering::SeqCst);
    }

    pub fn unsaved(&self) -> (usize, usize) {
        self.queued.since(&self.saved)
    }

    pub fn set_commit_after(&self, calls: Option<usize>) {
        self.commit_after.store(calls.unwrap_or(0), Ordering::Relaxed);
        self.wake();
    }

    /// Withdraw the commits that have waited since before `limit`.
    pub fn withdraw(&self, limit: Instant) -> Vec<Request<J>> {
        let mut taken = self.taken();
        self.collect(&mut taken);
        let is_late = |request: &&Request<J>| request.call.is_commit() && request.since <= limit;
        let late = taken.requests.iter().take_while(is_late).count();
        taken.requests.drain(..late).collect()
    }

    /// Take nothing in any more; what was handed over before is still served.
    pub fn shut(&self) {
        self.lanes.each(|mut lane| lane.shut = true);
        self.shut.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// A close failed: go on.
    pub fn unshut(&self) {
        self.shut.store(false, Ordering::SeqCst);
        self.lanes.each(|mut lane| lane.shut = false);
    }

    /// Take everything that waits.
    pub fn drain(&self, batch: &mut Batch<J>) {
        let mut taken = self.taken();
        self.take_lazy(&mut taken, &mut batch.lazy);
        batch.requests.extend(taken.requests.drain(..));
    }
}

fn refused<J>(add: impl FnOnce(&mut Queue<'_, J>) -> (usize, usize)) -> Option<J> {
    let mut jobs = Vec::new();
    add(&mut Queue::new(&mut jobs, 0));
    jobs.pop().map(|(_, job)| job)
}

#[cfg(all(test, not(feature = "shuttle")))]
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

    fn queue(inbox: &Inbox<u32>, job: u32, bytes: usize) -> Result<Queued, Option<u32>> {
        inbox.queue(|queue| {
            queue.push(job);
            (1, bytes)
        })
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
            assert!(queue(&inbox, job, 10).is_ok_and(|queued| !queued.full));
        }
        assert_eq!(took(&inbox).0, Took::Nothing, "not due yet");
        let mut batch = Batch::default();
        inbox.drain(&mut batch);
        assert!(queue(&inbox, 2, 180).is_ok_and(|queued| queued.full && queued.unsaved == 3));
        inbox.put_back(&mut batch.lazy, hour);
        send(&inbox, 9, Call::Flush);
        inbox.take(&mut batch, None);
        assert_eq!(batch.lazy, [0, 1, 2]);
        inbox.saved(3, 200);
        assert_eq!(inbox.unsaved(), (0, 0));
    }
}
