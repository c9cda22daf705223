//! What threads share, from the standard library, or from shuttle, which tries the orders in which threads may run.
#[cfg(feature = "shuttle")]
pub use shuttle::{hint, sync, thread};
#[cfg(not(feature = "shuttle"))]
pub use std::{hint, sync, thread};
