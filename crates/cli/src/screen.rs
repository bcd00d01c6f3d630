//! Shows a backup while it goes: bars on a terminal, plain lines elsewhere.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use crate::{backup::Output, expected::Expected, history::News, history::Task, render::words};

/// Where what is new is shown.
pub struct Screen {
    started: Instant,
    expected: Option<Expected>,
    kind: Kind,
}

enum Kind {
    Bars(Bars),
    Lines(Lines),
}

impl Screen {
    /// For a person who reads standard output: bars on a terminal, else lines.
    pub fn for_stdout() -> Self {
        if std::io::stdout().is_terminal() {
            Self::new(Kind::Bars(Bars::new(ProgressDrawTarget::stdout())))
        } else {
            Self::lines(Box::new(std::io::stdout()))
        }
    }

    /// For a program that reads standard output: everything goes to standard error.
    pub fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() {
            Self::new(Kind::Bars(Bars::new(ProgressDrawTarget::stderr())))
        } else {
            Self::lines(Box::new(std::io::stderr()))
        }
    }

    /// Beside an outcome that is written like this: never in the way of a program that reads standard output.
    pub fn beside(output: Output) -> Self {
        match output {
            Output::Table => Self::for_stdout(),
            Output::Json => Self::for_stderr(),
        }
    }

    /// Plain lines, wherever they go.
    pub fn lines(to: Box<dyn Write + Send>) -> Self {
        Self::new(Kind::Lines(Lines { to, told: BTreeMap::new() }))
    }

    fn new(kind: Kind) -> Self {
        Self { started: Instant::now(), expected: None, kind }
    }

    /// Counts the time from when what is shown began: who comes back to it after two hours sees two hours.
    pub fn began(&mut self, at: Timestamp) {
        let since = Timestamp::now().duration_since(at).as_secs_f64().max(0.0);
        // The command may have been started before its record was: time does not go back.
        let elapsed = Duration::from_secs_f64(since).max(self.started.elapsed());
        self.started = Instant::now().checked_sub(elapsed).unwrap_or(self.started);
        if let Kind::Bars(bars) = &mut self.kind {
            bars.head.set_elapsed(elapsed);
        }
    }

    /// Shows from now on how long it usually takes, and counts its time from its beginning.
    pub fn expect(&mut self, expected: Expected) {
        self.began(expected.began);
        if let Kind::Lines(lines) = &mut self.kind {
            lines.line(self.started.elapsed(), &format!("expected: {} in all", expected.whole()));
        }
        self.expected = Some(expected);
    }

    /// Shows one piece of news.
    pub fn tell(&mut self, news: &News) {
        match (&mut self.kind, news) {
            (Kind::Bars(bars), _) => bars.tell(news),
            (Kind::Lines(lines), News::Phase(phase)) => {
                let expected = self.expected.as_ref();
                let said =
                    expected.map(|expected| expected.phase(*phase, Timestamp::now())).unwrap_or_default();
                let text = format!("{:<20} {said}", words(phase.as_str()));
                lines.line(self.started.elapsed(), text.trim_end());
            }
            (Kind::Lines(lines), _) => lines.tell(self.started.elapsed(), news),
        }
    }

    /// Shows where the execution is now.
    pub fn states<'a>(&mut self, current: impl Iterator<Item = &'a str>) {
        if let Kind::Bars(bars) = &mut self.kind {
            let states = current.map(words).collect::<Vec<_>>().join(", ");
            bars.head.set_message(match &self.expected {
                Some(expected) => format!("{}  {states}", expected.now(Timestamp::now())),
                None => states,
            });
        }
    }

    /// Leaves what is shown as it is and stops drawing.
    pub fn close(&mut self) {
        if let Kind::Bars(bars) = &mut self.kind {
            bars.close();
        }
    }
}

/// One head line (elapsed, states) and one line per task.
struct Bars {
    all: MultiProgress,
    head: ProgressBar,
    tasks: BTreeMap<String, ProgressBar>,
    endless: Option<String>,
}

impl Bars {
    fn new(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let head = all.add(ProgressBar::new_spinner().with_style(style("  {spinner} {elapsed:>4}  {msg}")));
        head.enable_steady_tick(Duration::from_millis(120));
        Self { all, head, tasks: BTreeMap::new(), endless: None }
    }

    fn tell(&mut self, news: &News) {
        match news {
            News::Operation(id) => {
                let _ = self.all.println(format!("  operation {id}"));
            }
            News::Trouble(text) => {
                let _ = self.all.println(format!("  ! {text}"));
            }
            News::Task(task) => self.task(task),
            // The head line says what is expected of all of it.
            News::State(_) | News::Phase(_) => {}
        }
    }

    fn task(&mut self, task: &Task) {
        // A stage that never says how far it is ends when the next one begins; copies go on side by side.
        if self.endless.as_ref().is_some_and(|label| *label != task.label)
            && let Some(bar) = self.endless.take().and_then(|label| self.tasks.remove(&label))
        {
            bar.finish_and_clear();
        }
        if task.percent.is_none() && !task.label.starts_with("copy ") {
            self.endless = Some(task.label.clone());
        }
        let bar = self.tasks.entry(task.label.clone()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new(100));
            bar.set_prefix(task.label.clone());
            bar
        });
        match task.percent {
            Some(percent) => {
                bar.set_style(style("    {prefix:<20} {bar:24.green/dim} {pos:>3} %  {wide_msg}"));
                bar.set_position(percent);
            }
            None => bar.set_style(style("    {prefix:<20} {wide_msg}")),
        }
        bar.set_message(task.message.clone());
    }

    fn close(&mut self) {
        self.head.finish_and_clear();
        for bar in self.tasks.values() {
            bar.abandon();
        }
    }
}

/// The templates are constants of this file; a wrong one shows as the default bar, and in the tests.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Lines with the elapsed time in front; a percentage is told in steps of ten.
struct Lines {
    to: Box<dyn Write + Send>,
    told: BTreeMap<String, (String, Option<u64>)>,
}

impl Lines {
    fn tell(&mut self, elapsed: Duration, news: &News) {
        let text = match news {
            News::Operation(id) => format!("operation {id}"),
            // A terminal shows the states that it is in now; a log has the phases, which [`Screen::tell`] writes.
            News::State(_) | News::Phase(_) => return,
            News::Trouble(text) => format!("! {text}"),
            News::Task(task) => {
                let step = task.percent.map(|percent| percent / 10);
                let now = (task.message.clone(), step);
                let before = self.told.insert(task.label.clone(), now.clone());
                // A message that counts differs each time: only a new step, or a first word, is told.
                if before.is_some_and(|before| before.1 == now.1 && (step.is_some() || before.0 == now.0)) {
                    return;
                }
                let percent = task.percent.map(|percent| format!("{percent:>3} %")).unwrap_or_default();
                format!("{:<20} {percent:>5}  {}", task.label, task.message)
            }
        };
        self.line(elapsed, &text);
    }

    fn line(&mut self, elapsed: Duration, text: &str) {
        // A closed pipe must not end the backup's report: the outcome is the exit code.
        let _ = writeln!(self.to, "  {:>4}s  {text}", elapsed.as_secs());
        let _ = self.to.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_tell_each_step_of_ten_once() {
        let shared = Shared::default();
        let mut screen = Screen::lines(Box::new(shared.clone()));
        for percent in [0, 3, 12, 15, 100] {
            let message = format!("copied {percent}");
            screen.tell(&News::Task(Task { label: "us-west-2".into(), percent: Some(percent), message }));
        }
        screen.tell(&News::State("WaitForCopy".into()));
        screen.tell(&News::Trouble("Holdfast.Throttled".into()));
        let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            text,
            "     0s  us-west-2              0 %  copied 0\n     0s  us-west-2             12 %  copied 12\n     0s  us-west-2            100 %  copied 100\n     0s  ! Holdfast.Throttled\n"
        );
    }

    #[test]
    fn what_is_expected_is_told_at_the_start_and_with_each_phase() {
        let phase = serde_json::json!({"name": "VALIDATING", "seconds": 130.0});
        let timings = serde_json::json!({"totalSeconds": 190.0, "phases": [phase]});
        let past = holdfast_core::expectation::Past::read(&timings).unwrap();
        let expectation = holdfast_core::expectation::Expectation::of(&[past]).unwrap();
        let shared = Shared::default();
        let mut screen = Screen::lines(Box::new(shared.clone()));
        let phase = News::Phase(holdfast_core::operation::Phase::Validating);
        // Without a history, the phase is told, and nothing is said of its time.
        screen.tell(&phase);
        let began = Timestamp::now() - jiff::SignedDuration::from_millis(41_200);
        screen.expect(Expected { began, expectation });
        screen.tell(&phase);
        let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            text,
            "     0s  validating\n    41s  expected: about 3 min 10 s (median of 1 run) in all\n    41s  validating           about 2 min 10 s expected; 21 % of about 3 min 10 s have passed\n"
        );
    }

    #[test]
    fn who_comes_back_to_something_sees_the_time_since_it_began() {
        let shared = Shared::default();
        let mut screen = Screen::lines(Box::new(shared.clone()));
        let ago = |seconds: i64| Timestamp::now() - jiff::SignedDuration::from_millis(seconds * 1000 + 200);
        screen.began(ago(7200));
        // Its execution is younger than its record, when somebody went on with it.
        screen.began(ago(60));
        screen.tell(&News::Operation("op-1".into()));
        let text = String::from_utf8(shared.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "  7200s  operation op-1\n");
    }

    #[test]
    fn the_templates_are_well_formed() {
        for template in [
            "  {spinner} {elapsed:>4}  {msg}",
            "    {prefix:<20} {bar:24.green/dim} {pos:>3} %  {wide_msg}",
            "    {prefix:<20} {wide_msg}",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
