//! Ctrl-C, told to whoever waits for it.
//!
//! Once a program has a handler of its own for it, the signal does nothing by itself any more, for as long as the process lives: a
//! question that comes after something was followed could not be left. So there is one listener for the whole process, and where
//! nobody waits, Ctrl-C ends it, as it would have without a handler.

use std::sync::{Mutex, Once, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot::{self, Sender};

use crate::exit;

/// Who waits now: the last who asked.
static WAITING: Mutex<Option<Sender<()>>> = Mutex::new(None);
static LISTENS: Once = Once::new();

/// Comes back when Ctrl-C is pressed, from this call on and not from the first poll: what is said in between may be answered by it.
/// Dropped, nobody waits.
pub fn pressed() -> impl Future<Output = ()> {
    let (tell, told) = oneshot::channel();
    *WAITING.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
    LISTENS.call_once(|| {
        // From here on the signal does not end the process by itself.
        if let Ok(signals) = signal(SignalKind::interrupt()) {
            tokio::spawn(listen(signals));
        }
    });
    async move {
        if told.await.is_err() {
            // Somebody else waits now.
            std::future::pending().await
        }
    }
}

async fn listen(mut signals: Signal) {
    while signals.recv().await.is_some() {
        let waits = WAITING.lock().unwrap_or_else(PoisonError::into_inner).take();
        if waits.is_none_or(|tell| tell.send(()).is_err()) {
            std::process::exit(i32::from(exit::DETACHED));
        }
    }
}
