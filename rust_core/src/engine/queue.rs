//! The lazy queue, for whoever adds to it.

/// The lazy queue as a caller finds it: what the taker has not taken yet, in the order of the calls.
pub struct Queue<'a, J> {
    jobs: &'a mut Vec<(u64, J)>,
    place: u64,
    /// Where `last_of` found one: what is asked for next is often there, too.
    found_at: usize,
}

impl<'a, J> Queue<'a, J> {
    pub fn new(jobs: &'a mut Vec<(u64, J)>, place: u64) -> Self {
        Self { found_at: jobs.len().saturating_sub(1), jobs, place }
    }

    pub fn push(&mut self, job: J) {
        self.jobs.push((self.place, job));
    }

    /// The newest job, if nothing was left anywhere since.
    pub fn newest(&mut self) -> Option<&mut J> {
        self.jobs.last_mut().filter(|(last, _)| *last == self.place).map(|(_, job)| job)
    }

    /// The last job of those, from the oldest on, that `is_before` holds for.
    #[inline]
    pub fn last_of(&mut self, is_before: impl Fn(&J) -> bool) -> Option<&mut J> {
        let holds = |place: usize| self.jobs.get(place).is_some_and(|(_, job)| is_before(job));
        if !holds(self.found_at) || holds(self.found_at + 1) {
            self.found_at = self.jobs.partition_point(|(_, job)| is_before(job)).checked_sub(1)?;
        }
        Some(&mut self.jobs[self.found_at].1)
    }
}
