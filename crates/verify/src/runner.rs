//! The hands: units are done by several connections at once, and what one came to is kept before the next.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::future::join_all;

use crate::connection::ConnectError;
use crate::job::{Job, JobResult, Unit, UnitResult, Work};
use crate::session::{Limits, Session, Trouble, patiently};
use crate::{Options, Target};

/// Where results go as they come.
#[async_trait::async_trait]
pub trait Journal: Send + Sync {
    /// A unit is done. Only when this has returned is it not done again.
    ///
    /// # Errors
    /// When it could not be kept; the work stops with this reason.
    async fn keep(&self, result: &UnitResult) -> Result<(), String>;
}

/// How the work of one call ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units that were done and kept by this call.
    pub done: Vec<u32>,
    /// Units that are left: there was no time, or something got in the way.
    pub left: Vec<u32>,
    /// Why the journal took no more.
    pub journal_failed: Option<String>,
}

/// Does `units` over up to `options.connections` connections until they are done or the time budget is used up.
///
/// # Errors
/// When no connection can be had at all.
pub(crate) async fn work(
    target: &Target,
    options: &Options,
    units: Vec<&Unit>,
    journal: &dyn Journal,
) -> Result<Progress, ConnectError> {
    let limits = Limits::new(options);
    let run = Run {
        target,
        options,
        limits,
        journal,
        begun: Instant::now(),
        queue: Mutex::new(units.into_iter().collect()),
        progress: Mutex::new(Progress::default()),
    };
    let hands = options.connections.max(1).min(locked(&run.queue).len());
    let ends = join_all((0..hands).map(|_| run.hand())).await;
    let mut progress = run.progress.into_inner().unwrap_or_else(PoisonError::into_inner);
    progress.left.extend(locked(&run.queue).iter().map(|unit| unit.id));
    // One hand that could not connect is less speed; none at all is an error.
    let refused: Vec<ConnectError> = ends.into_iter().filter_map(Result::err).collect();
    match refused.into_iter().next() {
        Some(error) if progress.done.is_empty() && !progress.left.is_empty() => Err(error),
        _ => Ok(progress),
    }
}

/// A lock that is never held across a wait.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Run<'a> {
    target: &'a Target,
    options: &'a Options,
    limits: Limits,
    journal: &'a dyn Journal,
    begun: Instant,
    queue: Mutex<VecDeque<&'a Unit>>,
    progress: Mutex<Progress>,
}

/// Why a unit was not finished.
enum Stop {
    /// No time left; the unit is to be done by a later call.
    Later,
}

impl<'a> Run<'a> {
    async fn hand(&self) -> Result<(), ConnectError> {
        let mut session: Option<Session<'a>> = None;
        loop {
            if self.limits.used_up() || locked(&self.progress).journal_failed.is_some() {
                return Ok(());
            }
            let Some(unit) = locked(&self.queue).pop_front() else { return Ok(()) };
            let same = session.take().filter(|session| session.database() == unit.database);
            let opened = match same {
                Some(same) => Ok(same),
                None => self.open(&unit.database).await,
            };
            let mut open = match opened {
                Ok(open) => open,
                Err(error) => {
                    locked(&self.queue).push_front(unit);
                    return Err(error);
                }
            };
            match self.unit(&mut open, unit).await {
                Ok(result) => self.keep(&result).await,
                Err(Stop::Later) => locked(&self.progress).left.push(unit.id),
            }
            session = Some(open);
        }
    }

    async fn open(&self, database: &str) -> Result<Session<'a>, ConnectError> {
        let limits = self.limits.with_statement(self.options.statement_timeout);
        Session::open_patiently(self.target, limits, database).await
    }

    async fn keep(&self, result: &UnitResult) {
        match self.journal.keep(result).await {
            Ok(()) => locked(&self.progress).done.push(result.unit),
            Err(reason) => {
                let mut progress = locked(&self.progress);
                progress.left.push(result.unit);
                progress.journal_failed = Some(reason);
            }
        }
    }

    async fn unit(&self, session: &mut Session<'_>, unit: &Unit) -> Result<UnitResult, Stop> {
        let mut jobs = Vec::with_capacity(unit.jobs.len());
        for job in &unit.jobs {
            let since = Instant::now();
            let work = self.job(session, job).await?;
            let duration_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            jobs.push(JobResult { work, duration_ms });
        }
        Ok(UnitResult { unit: unit.id, jobs })
    }

    /// Does a job, in halves where the whole is too slow.
    async fn job(&self, session: &mut Session<'_>, job: &Job) -> Result<Work, Stop> {
        let mut sum = Work::default();
        let mut parts = vec![job.clone()];
        while let Some(part) = parts.pop() {
            let name = part.name();
            match patiently!(session, &name, once(session, &part)) {
                Ok(work) => sum.add(work),
                Err(Trouble::Budget) if self.fresh() => {
                    let message =
                        "a whole call was not enough for it: give the instance a larger class, or sample it";
                    sum.ending.unfinished(part.name(), message);
                }
                Err(Trouble::Budget) => return Err(Stop::Later),
                Err(Trouble::TooSlow(message)) => match self.halves(session, &part).await {
                    Some((first, second)) => parts.extend([second, first]),
                    None => sum.ending.unfinished(part.name(), message),
                },
                Err(trouble) => sum.ending.absorb(Some(&part.name()), &trouble),
            }
        }
        Ok(sum)
    }

    /// Whether this job had nearly the whole call for itself, so that a later call would not do better.
    fn fresh(&self) -> bool {
        let progress = locked(&self.progress);
        progress.done.is_empty() && self.begun.elapsed() >= self.options.time_budget.mul_f64(0.9)
    }

    async fn halves(&self, session: &mut Session<'_>, job: &Job) -> Option<(Job, Job)> {
        let pages = job.task.pages()?;
        let length = match pages.to {
            Some(to) => to,
            None => {
                let table = job.task.table().unwrap_or(&job.object);
                crate::instance::pages_of(session, table).await.ok()?
            }
        };
        let (first, second) = pages.split(length)?;
        let half = |pages| Job { task: job.task.on(pages), bytes: job.bytes / 2, ..job.clone() };
        Some((half(first), half(second)))
    }
}

/// One attempt at a job.
async fn once(session: &mut Session<'_>, job: &Job) -> Result<Work, Trouble> {
    let mut work = Work::default();
    job.task.run(session, &job.object, &mut work).await.map(|()| work)
}
