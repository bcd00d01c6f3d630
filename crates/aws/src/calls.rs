//! Counts the calls that leave for AWS, retries included: what a backup costs in API rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter shared by all clients of a process.
#[derive(Debug, Clone, Default)]
pub struct CallCounter(Arc<AtomicU64>);

impl CallCounter {
    /// Counts one call.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls since the last `take`, and starts again from 0.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}
