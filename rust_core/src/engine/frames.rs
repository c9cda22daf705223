//! The frames of a transaction on their way into the WAL: gathered, and written at once.
//!
//! SQLite writes the header and the page of each frame by calls of their own, and a frame does not end where a page of the
//! system's cache does: each call is a walk through the file system, over up to two of its pages. What is gathered is
//! written at the latest with the frame that commits, before SQLite syncs it or tells anybody of it.

/// Of the header of a frame, which is the only thing of this length in a WAL (<https://sqlite.org/fileformat2.html#walformat>).
const HEADER: usize = 24;
/// The most that SQLite's own `xWrite` writes by one call of the system; of more it would write nothing.
const MOST: usize = 0x1_ffff;

#[derive(Default)]
pub struct Frames {
    gathered: Vec<u8>,
    start: u64,
    /// Where the last frame ends. What is written before that replaces something of the same transaction: not gathered.
    end: u64,
    /// The header of the frame that commits has come, its page has not.
    commits: bool,
}

impl Frames {
    /// Take what SQLite writes; `write` does it. After an error nothing of it counts, as for SQLite itself.
    pub fn add<E>(
        &mut self,
        bytes: &[u8],
        offset: u64,
        mut write: impl FnMut(&[u8], u64) -> Result<(), E>,
    ) -> Result<(), E> {
        let is_page = bytes.len() != HEADER;
        let ends = std::mem::replace(&mut self.commits, !is_page && bytes[4..8] != [0; 4]) && is_page;
        if offset == 0 {
            self.flush(&mut write)?;
            self.end = 0; // the WAL starts again from its beginning
        }
        if offset != self.end || self.gathered.len() + bytes.len() > MOST {
            self.flush(&mut write)?;
        }
        if offset < self.end {
            return write(bytes, offset);
        }
        if self.gathered.is_empty() {
            self.start = offset;
        }
        self.gathered.extend_from_slice(bytes);
        self.end = offset + bytes.len() as u64;
        if ends {
            self.flush(&mut write)?;
        }
        Ok(())
    }

    pub fn flush<E>(&mut self, mut write: impl FnMut(&[u8], u64) -> Result<(), E>) -> Result<(), E> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let written = write(&self.gathered, self.start);
        self.gathered.clear();
        written
    }

    /// The transaction is over: what it has not written it has rolled back.
    pub fn forget(&mut self) {
        self.gathered.clear();
        (self.end, self.commits) = (0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 512;
    const FRAME: u64 = (HEADER + PAGE) as u64;

    /// A file, and the calls that wrote it.
    #[derive(Default)]
    struct File {
        bytes: Vec<u8>,
        calls: Vec<(u64, usize)>,
    }

    impl File {
        fn write(&mut self, bytes: &[u8], offset: u64) {
            let (start, end) = (offset as usize, offset as usize + bytes.len());
            self.bytes.resize(self.bytes.len().max(end), 0);
            self.bytes[start..end].copy_from_slice(bytes);
            self.calls.push((offset, bytes.len()));
        }
    }

    fn add(frames: &mut Frames, file: &mut File, bytes: &[u8], offset: u64) {
        let added: Result<(), ()> = frames.add(bytes, offset, |bytes, at| {
            file.write(bytes, at);
            Ok(())
        });
        assert_eq!(added, Ok(()));
    }

    fn header(pages_after: u32) -> [u8; HEADER] {
        let mut header = [1; HEADER];
        header[4..8].copy_from_slice(&pages_after.to_be_bytes());
        header
    }

    fn frame(frames: &mut Frames, file: &mut File, offset: u64, content: u8, pages_after: u32) {
        add(frames, file, &header(pages_after), offset);
        add(frames, file, &[content; PAGE], offset + HEADER as u64);
    }

    #[test]
    fn the_frames_of_a_commit_are_one_write() {
        let (mut frames, mut file) = (Frames::default(), File::default());
        frame(&mut frames, &mut file, 32, 7, 0);
        assert_eq!(file.calls, []);
        frame(&mut frames, &mut file, 32 + FRAME, 8, 5);
        assert_eq!(file.calls, [(32, 2 * FRAME as usize)]);
        assert_eq!(file.bytes[32 + HEADER..][..PAGE], [7; PAGE]);
        assert_eq!(file.bytes[(32 + FRAME) as usize + HEADER..], [8; PAGE]);
    }

    #[test]
    fn many_frames_are_written_before_they_take_much_memory() {
        let (mut frames, mut file) = (Frames::default(), File::default());
        for index in 0..2000 {
            frame(&mut frames, &mut file, 32 + index * FRAME, 7, 0);
        }
        assert_eq!(file.calls.len(), 2000 * FRAME as usize / MOST);
        assert!(file.calls.iter().all(|&(_, size)| size <= MOST));
    }

    #[test]
    fn what_replaces_a_frame_of_the_same_transaction_is_written_at_once_and_in_order() {
        let (mut frames, mut file) = (Frames::default(), File::default());
        frame(&mut frames, &mut file, 32, 7, 0);
        frame(&mut frames, &mut file, 32 + FRAME, 8, 0);
        add(&mut frames, &mut file, &[9; PAGE], 32 + HEADER as u64);
        assert_eq!(file.calls.len(), 2);
        assert_eq!(file.bytes[32 + HEADER..][..PAGE], [9; PAGE]);
    }

    #[test]
    fn headers_that_get_new_checksums_after_the_commit_are_written_at_once() {
        let (mut frames, mut file) = (Frames::default(), File::default());
        frame(&mut frames, &mut file, 32, 7, 0);
        frame(&mut frames, &mut file, 32 + FRAME, 8, 5);
        for (index, pages_after) in [(0, 0), (1, 5)] {
            add(&mut frames, &mut file, &header(pages_after), 32 + index * FRAME);
        }
        assert_eq!(file.calls.len(), 3);
        assert!(frames.gathered.is_empty());
    }

    #[test]
    fn a_wal_that_starts_again_from_its_beginning_is_gathered() {
        let (mut frames, mut file) = (Frames::default(), File::default());
        frame(&mut frames, &mut file, 32 + 9 * FRAME, 7, 5);
        add(&mut frames, &mut file, &[7; 32], 0);
        frame(&mut frames, &mut file, 32, 8, 0);
        frame(&mut frames, &mut file, 32 + FRAME, 9, 5);
        assert_eq!(file.calls[1..], [(0, 32 + 2 * FRAME as usize)]);
    }

    #[test]
    fn a_wal_that_starts_again_does_not_take_what_was_rolled_back_for_its_own() {
        let (mut frames, mut file) = (Frames::default(), File::default());
        frame(&mut frames, &mut file, 32 + 9 * FRAME, 7, 0);
        add(&mut frames, &mut file, &[8; 32], 0);
        frame(&mut frames, &mut file, 32, 9, 5);
        assert_eq!(file.bytes[..32], [8; 32]);
        assert_eq!(file.bytes[32 + HEADER..][..PAGE], [9; PAGE]);
    }

    #[test]
    fn what_was_rolled_back_is_never_written() {
        let (mut frames, mut file) = (Frames::default(), File::default());
        frame(&mut frames, &mut file, 32, 7, 0);
        frames.forget();
        frame(&mut frames, &mut file, 32, 8, 5);
        assert_eq!(file.calls, [(32, FRAME as usize)]);
        assert_eq!(file.bytes[32 + HEADER..], [8; PAGE]);
    }

    #[test]
    fn an_error_of_the_write_is_told_by_the_call_that_commits() {
        let mut frames = Frames::default();
        assert_eq!(frames.add(&header(5), 32, |_, _| Err("full")), Ok(()));
        assert_eq!(frames.add(&[7; PAGE], 32 + HEADER as u64, |_, _| Err("full")), Err("full"));
        assert_eq!(frames.flush(|_, _| Err("again")), Ok(()), "nothing is left of it");
    }
}
