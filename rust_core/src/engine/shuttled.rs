//! The inbox and the outbox in many orders of their threads: nothing is lost, doubled or reordered, and nobody sleeps for
//! ever (shuttle takes a sleep with a limit for one without).
use super::api::{Lazy, Queued};
use super::inbox::{Batch, Call, Inbox, Request, Took};
use super::outbox::Outbox;
use super::queue::Queue;
use super::sync::sync::Arc;
use super::sync::sync::atomic::{AtomicUsize, Ordering};
use super::sync::thread;
use std::time::Duration;

const ORDERS: usize = 3000;
const HOUR: Duration = Duration::from_secs(3600);

fn try_orders(run: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(run.clone(), ORDERS);
    shuttle::check_pct(run, ORDERS, 3);
}

fn queue(inbox: &Inbox<u32>, job: u32) -> Result<Queued, Option<u32>> {
    inbox.queue(|queue| {
        queue.push(job);
        (1, 1)
    })
}

/// Take everything until the end.
fn take_all(inbox: &Inbox<u32>) -> (Vec<u32>, Vec<u32>) {
    let (mut batch, mut requests, mut lazy) = (Batch::default(), Vec::new(), Vec::new());
    while inbox.take(&mut batch, None) == Took::Work {
        requests.extend(batch.requests.drain(..).map(|request| request.job));
        inbox.saved(batch.lazy.len(), 0);
        lazy.append(&mut batch.lazy);
    }
    (requests, lazy)
}

#[test]
fn requests_arrive_in_order() {
    try_orders(|| {
        let inbox = Arc::new(Inbox::new(2, None));
        let taker = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || take_all(&inbox).0)
        };
        for job in 0..4 {
            assert!(inbox.send(Request::new(job, Call::Commit)).is_ok());
        }
        inbox.shut();
        assert_eq!(taker.join().unwrap_or_default(), [0, 1, 2, 3]);
    });
}

#[test]
fn a_taker_that_sleeps_is_woken_by_each_request() {
    try_orders(|| {
        let (inbox, served) = (Arc::new(Inbox::new(9, None)), Arc::new(AtomicUsize::new(0)));
        let taker = {
            let (inbox, served) = (Arc::clone(&inbox), Arc::clone(&served));
            thread::spawn(move || {
                let mut batch = Batch::default();
                while served.load(Ordering::SeqCst) < 3 {
                    assert_eq!(inbox.take(&mut batch, None), Took::Work);
                    served.fetch_add(batch.requests.drain(..).count(), Ordering::SeqCst);
                }
            })
        };
        for job in 0..3 {
            assert!(inbox.send(Request::new(job, Call::Read)).is_ok());
        }
        assert!(taker.join().is_ok());
    });
}

#[test]
fn the_lazy_queue_keeps_its_order_and_wakes_at_its_limit() {
    try_orders(|| {
        let lazy = Lazy { flush_interval: HOUR, max_unsaved: 2, max_unsaved_bytes: 100 };
        let inbox = Arc::new(Inbox::new(9, Some(lazy)));
        let taker = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                let (mut batch, mut lazy) = (Batch::default(), Vec::new());
                while lazy.len() < 4 {
                    assert_eq!(inbox.take(&mut batch, None), Took::Work);
                    inbox.saved(batch.lazy.len(), batch.lazy.len());
                    lazy.append(&mut batch.lazy);
                }
                lazy
            })
        };
        for job in 0..4_u32 {
            assert!(queue(&inbox, job).is_ok());
        }
        assert!(inbox.send(Request::new(9, Call::Flush)).is_ok()); // for an odd one out
        assert_eq!(taker.join().unwrap_or_default(), [0, 1, 2, 3]);
    });
}

/// Each odd one changes the oldest job that still waits, as a put changes its own of before.
#[test]
fn what_is_changed_in_the_lazy_queue_is_taken_in_order() {
    try_orders(|| {
        let lazy = Lazy { flush_interval: HOUR, max_unsaved: 2, max_unsaved_bytes: 100 };
        let inbox = Arc::new(Inbox::<Vec<u32>>::new(9, Some(lazy)));
        let taker = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                let (mut batch, mut all) = (Batch::default(), Vec::new());
                while all.len() < 6 {
                    assert_eq!(inbox.take(&mut batch, None), Took::Work);
                    let mut taken: Vec<u32> = batch.lazy.drain(..).flatten().collect();
                    inbox.saved(taken.len(), taken.len());
                    all.append(&mut taken);
                    all.sort_unstable();
                    assert_eq!(all, (0..all.len() as u32).collect::<Vec<_>>(), "no later one before an earlier one");
                }
            })
        };
        for number in 0..6_u32 {
            let add = |queue: &mut Queue<'_, Vec<u32>>| {
                match queue.last_of(|job| number % 2 == 1 && job[0] <= 1) {
                    Some(waiting) => waiting.push(number),
                    None => queue.push(vec![number]),
                }
                (1, 1)
            };
            assert!(inbox.queue(add).is_ok());
        }
        assert!(inbox.send(Request::new(Vec::new(), Call::Flush)).is_ok()); // for an odd one out
        assert!(taker.join().is_ok());
    });
}

#[test]
fn what_comes_after_the_end_is_given_back() {
    try_orders(|| {
        let inbox = Arc::new(Inbox::new(9, None));
        let taker = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                let (mut batch, mut rest) = (Batch::default(), Batch::default());
                assert_eq!(inbox.take(&mut batch, None), Took::Work);
                inbox.shut();
                inbox.drain(&mut rest);
                batch.requests.len() + rest.requests.len()
            })
        };
        let given_back = (0..3_u32).filter(|&job| inbox.send(Request::new(job, Call::Commit)).is_err()).count();
        assert_eq!(taker.join().unwrap_or_default() + given_back, 3);
    });
}

#[test]
fn another_thread_may_send_meanwhile() {
    try_orders(|| {
        let inbox = Arc::new(Inbox::new(9, None));
        let sender = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || assert!(inbox.send(Request::new(7, Call::Read)).is_ok()))
        };
        let taker = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || take_all(&inbox).0)
        };
        assert!(inbox.send(Request::new(1, Call::Read)).is_ok());
        assert!(sender.join().is_ok());
        inbox.shut();
        let mut taken = taker.join().unwrap_or_default();
        taken.sort_unstable();
        assert_eq!(taken, [1, 7]);
    });
}

#[test]
fn deliveries_of_two_threads_are_taken_once_and_in_their_order() {
    try_orders(|| {
        let outbox: Arc<Outbox<(u32, u32)>> = Arc::new(Outbox::new());
        let workers: Vec<_> = (0..2_u32)
            .map(|worker| {
                let outbox = Arc::clone(&outbox);
                thread::spawn(move || {
                    outbox.deliver(vec![(worker, 0), (worker, 1)]);
                    outbox.wake_sleepers();
                    outbox.deliver(vec![(worker, 2)]);
                    outbox.wake_sleepers();
                })
            })
            .collect();
        let mut taken = Vec::new();
        while taken.len() < 6 {
            let seen = outbox.wakes();
            outbox.take(|one| taken.push(one));
            if taken.len() < 6 && !outbox.is_due() {
                outbox.sleep(seen, HOUR);
            }
        }
        for worker in 0..2 {
            let of_worker: Vec<u32> = taken.iter().filter(|one| one.0 == worker).map(|one| one.1).collect();
            assert_eq!(of_worker, [0, 1, 2]);
        }
        for worker in workers {
            assert!(worker.join().is_ok());
        }
    });
}

#[test]
fn what_was_delivered_before_is_due() {
    try_orders(|| {
        let outbox: Arc<Outbox<u32>> = Arc::new(Outbox::new());
        let worker = {
            let outbox = Arc::clone(&outbox);
            thread::spawn(move || outbox.deliver(vec![1]))
        };
        let mut early = Vec::new();
        outbox.take(|one| early.push(one));
        assert!(worker.join().is_ok());
        assert!(early == [1] || outbox.is_due());
    });
}
