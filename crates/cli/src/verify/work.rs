//! The three steps of the proof, shown while they go.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use holdfast_verify::{ConnectError, Journal, Options, Outcome, Target, UnitResult, conclude, plan, work};

use crate::{history::News, history::Task, screen::Screen};

/// Bytes of one piece of work: small enough that the progress moves, large enough that a piece costs nothing.
pub const CHUNK_BYTES: u64 = 256 << 20;

/// What the progress is called.
const LABEL: &str = "check";

/// What was found, and what it took.
#[derive(Debug)]
pub struct Proof {
    /// Checks and manifest.
    pub outcome: Outcome,
    /// Bytes that the work read, estimated.
    pub bytes: u64,
    /// Looking at the catalogs.
    pub planning: Duration,
    /// Doing the work.
    pub working: Duration,
}

/// Plans, works and concludes.
///
/// # Errors
/// When the server lets nobody in.
pub async fn prove(target: &Target, options: &Options, meter: &Meter) -> Result<Proof, ConnectError> {
    let begun = Instant::now();
    meter.show(None, "reading the catalogs".to_owned());
    let plan = plan(target, options).await?;
    let planning = begun.elapsed();
    let units =
        plan.units.iter().map(|unit| (unit.id, Size { all: unit.bytes, read: unit.read_bytes() })).collect();
    let ids: Vec<u32> = plan.units.iter().map(|unit| unit.id).collect();
    meter.begin(units);
    let rest = Options { time_budget: options.time_budget.saturating_sub(planning), ..options.clone() };
    // A server that lets nobody in any more leaves units without results, and these say so in the report.
    if let Err(error) = work(target, &rest, &plan.units, &ids, meter).await {
        meter.trouble(&error.to_string());
    }
    let (results, bytes) = meter.results();
    Ok(Proof {
        outcome: conclude(&plan, &results, options),
        bytes,
        planning,
        working: begun.elapsed().saturating_sub(planning),
    })
}

/// Keeps results in memory and shows how far the work is.
pub struct Meter(Mutex<State>);

/// How large units are, in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// What they take.
    all: u64,
    /// What of it is read.
    read: u64,
}

impl Size {
    fn sum<'a>(sizes: impl Iterator<Item = &'a Size>) -> Size {
        sizes.fold(Size::default(), |sum, size| Size { all: sum.all + size.all, read: sum.read + size.read })
    }
}

struct State {
    screen: Screen,
    begun: Instant,
    units: BTreeMap<u32, Size>,
    done: BTreeMap<u32, UnitResult>,
}

impl Meter {
    /// With nothing done.
    pub fn new(screen: Screen) -> Self {
        Meter(Mutex::new(State {
            screen,
            begun: Instant::now(),
            units: BTreeMap::new(),
            done: BTreeMap::new(),
        }))
    }

    /// Stops drawing.
    pub fn close(&self) {
        self.lock().screen.close();
    }

    fn begin(&self, units: BTreeMap<u32, Size>) {
        let mut state = self.lock();
        state.units = units;
        state.begun = Instant::now();
        state.tell();
    }

    fn show(&self, percent: Option<u64>, message: String) {
        self.lock().screen.tell(&News::Task(Task { label: LABEL.to_owned(), percent, message }));
    }

    fn trouble(&self, text: &str) {
        self.lock().screen.tell(&News::Trouble(text.to_owned()));
    }

    fn results(&self) -> (BTreeMap<u32, UnitResult>, u64) {
        let mut state = self.lock();
        let read = state.sums().1.read;
        (std::mem::take(&mut state.done), read)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// All of it, and what is done.
    fn sums(&self) -> (Size, Size) {
        (Size::sum(self.units.values()), Size::sum(self.done.keys().filter_map(|unit| self.units.get(unit))))
    }

    fn tell(&mut self) {
        let (all, done) = self.sums();
        let percent = (done.all * 100).checked_div(all.all).unwrap_or(100);
        let seconds = self.begun.elapsed().as_secs_f64();
        let rate = if done.read == 0 || seconds <= 0.0 {
            String::new()
        } else {
            format!(", {}/s", size((done.read as f64 / seconds) as u64))
        };
        let message = format!(
            "{} of {} pieces, {} of {}{rate}",
            self.done.len(),
            self.units.len(),
            size(done.read),
            size(all.read)
        );
        self.screen.tell(&News::Task(Task { label: LABEL.to_owned(), percent: Some(percent), message }));
    }
}

#[async_trait::async_trait]
impl Journal for Meter {
    async fn keep(&self, result: &UnitResult) -> Result<(), String> {
        let mut state = self.lock();
        state.done.insert(result.unit, result.clone());
        state.tell();
        Ok(())
    }
}

/// `640 kB`, `3.1 GB`: powers of ten.
pub fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 999.5 {
            return if size < 9.95 && unit != "B" {
                format!("{size:.1} {unit}")
            } else {
                format!("{size:.0} {unit}")
            };
        }
        size /= 1000.0;
    }
    format!("{size:.1} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_for_people() {
        let written = [0, 999, 1000, 640_000, 3_120_000_000, 25_000_000_000, 4_500_000_000_000].map(size);
        assert_eq!(written, ["0 B", "999 B", "1.0 kB", "640 kB", "3.1 GB", "25 GB", "4.5 TB"]);
    }
}
