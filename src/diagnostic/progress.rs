//! What long work tells while it runs, and how it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Diagnostic, Message};

/// Hears of the progress of long work. Calls come from several threads.
pub trait Progress: Send + Sync {
    /// A stage begins; `total` rows are expected, where that is known.
    fn stage(&self, name: Message, total: Option<u64>);
    /// So many more rows of the stage are done.
    fn rows(&self, rows: u64);
    /// Something that somebody should know of, and that the work goes on in spite of.
    fn warn(&self, _: Diagnostic) {}
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: Message, _: Option<u64>) {}
    fn rows(&self, _: u64) {}
}

/// Asks long work to stop; clones share one switch.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
