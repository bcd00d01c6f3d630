//! What can be asked of each index.

use holdfast_core::validation::Coverage;

use super::{CHECK, Question, Task};
use crate::ending::count;
use crate::extensions;
use crate::index_catalog::{self, Index, answered_by, regclass};
use crate::job::{Job, Pages, Planned, Task as AnyTask, Work};
use crate::plan::Scope;
use crate::ranges::{pieces, whole_up_to};
use crate::relations;
use crate::session::{Session, Trouble, patiently};

/// Until these releases `amcheck` could miss a row that is there, when its value was stored with another header than
/// the one in the index ("amcheck: Normalize index tuples containing uncompressed varlena", March 2024).
const ROWS_TRUSTED_SINCE: [(u32, u32); 5] =
    [(12, 120_019), (13, 130_015), (14, 140_012), (15, 150_007), (16, 160_003)];

/// What is said of a B-tree that neither `amcheck` nor a walk from end to end has seen the order of.
const UNWALKED: &str = "too large for one statement: its order was not walked, and a collation that changed can have put it out of order unseen";

/// Which indexes there are, and what can be asked of each.
pub(crate) async fn plan(session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    let mut planner = Planner { scope, planned: Planned::default(), parent_check: false, gin_check: false };
    let indexes = index_catalog::read(session).await?;
    if let Some(schema) = scope.amcheck {
        // It locks the table against writers: not on a server that has some.
        planner.parent_check = scope.options.may_create_extensions
            && extensions::may_call(session, schema, "bt_index_parent_check", 2).await?;
        planner.gin_check = extensions::may_call(session, schema, "gin_index_check", 1).await?;
        planner.planned.jobs.push(Job {
            check: CHECK.into(),
            object: "pg_catalog".into(),
            bytes: 8 << 20,
            task: AnyTask::Index(Task {
                title: "system catalogs".into(),
                table: "system catalogs".into(),
                pages: None,
                questions: vec![Question::Catalogs { schema: schema.to_owned() }],
            }),
        });
    } else {
        planner.skip("system catalogs", "their indexes were used, not looked through: that takes amcheck");
        let reason = "an entry that leads to another row than its own is not seen by order, keys and count, nor an inner page \
                      whose faults a search gets round: that takes amcheck";
        planner.planned.not_checked.push((None, reason.into()));
    }
    for index in &indexes {
        if let Some(state) = index.unusable {
            planner
                .planned
                .ending
                .wrong(&index.title, format!("{state}; it belongs to {}", index.table_title));
            continue;
        }
        // Planning reads the first page of every index of the table.
        match patiently!(session, &index.title, planner.one(session, index)) {
            Ok(planned) => planner.planned.add(planned),
            // Says nothing of this index: all of them are planned again.
            Err(trouble @ Trouble::Lost(_)) => return Err(trouble),
            Err(trouble) => {
                let mut work = Work::default();
                match relations::file(session, &index.title, trouble, &mut work).await {
                    Ok(()) => planner.planned.ending.merge(work.ending),
                    Err(trouble) => planner.planned.ending.absorb(Some(&index.title), &trouble),
                }
            }
        }
    }
    planner.planned.ending.note(count(indexes.len() as u64, "index", "indexes"));
    Ok(planner.planned)
}

struct Planner<'a> {
    scope: &'a Scope<'a>,
    planned: Planned,
    parent_check: bool,
    gin_check: bool,
}

impl Planner<'_> {
    fn skip(&mut self, object: &str, reason: impl Into<String>) {
        self.planned.not_checked.push((Some(object.to_owned()), reason.into()));
    }

    /// Plans one index; an attempt that failed leaves nothing behind.
    async fn one(&self, session: &mut Session<'_>, index: &Index) -> Result<Planned, Trouble> {
        let mut planner = Planner { planned: Planned::default(), ..*self };
        planner.index(session, index).await?;
        Ok(planner.planned)
    }

    async fn index(&mut self, session: &mut Session<'_>, index: &Index) -> Result<(), Trouble> {
        let large = is_large(self.scope, index);
        match index.method.as_str() {
            "btree" if large => {
                match self.scope.amcheck.filter(|_| index.bytes <= whole_up_to(self.scope)) {
                    Some(schema) => {
                        let questions = vec![self.structure(schema, index)];
                        self.push(index, None, index.bytes, questions);
                    }
                    None => self.skip(&index.title, UNWALKED),
                }
                let unseen = "too large for one statement: every row was looked for in it, what it has beyond was not counted";
                self.lookups(session, index, unseen).await
            }
            "btree" => self.btree(session, index).await,
            "hash" => {
                let unseen =
                    "hash index: every row was looked for in it, its own structure was not looked through";
                self.lookups(session, index, unseen).await
            }
            "gin" if self.gin_check && !large => {
                let schema = self.scope.amcheck.unwrap_or_default();
                let sql = format!("SELECT {schema}.gin_index_check({})", regclass(&index.name));
                self.push(index, None, index.bytes, vec![Question::Amcheck { sql }]);
                let reason =
                    "gin index: its structure was looked through, the table's rows were not looked for in it";
                self.skip(&index.title, reason);
                Ok(())
            }
            method => {
                let reason = "its structure, and whether it has every row, was not looked through";
                self.skip(&index.title, format!("{method} index: {reason}"));
                Ok(())
            }
        }
    }

    /// What `amcheck` says of its pages alone.
    fn structure(&self, schema: &str, index: &Index) -> Question {
        let function = if self.parent_check { "bt_index_parent_check" } else { "bt_index_check" };
        Question::Amcheck { sql: format!("SELECT {schema}.{function}({}, false)", regclass(&index.name)) }
    }

    async fn btree(&mut self, session: &mut Session<'_>, index: &Index) -> Result<(), Trouble> {
        let mut questions = Vec::new();
        if let Some(schema) = self.scope.amcheck {
            if self.parent_check {
                questions.push(self.structure(schema, index));
            }
            // The rows by this one: the other looked at rows that nobody sees any more, and missed some of these
            // ("amcheck: Fix snapshot usage in bt_index_parent_check", 2025).
            let rows = rows_trusted(self.scope.facts.version);
            let sql = format!("SELECT {schema}.bt_index_check({}, {rows})", regclass(&index.name));
            questions.push(Question::Amcheck { sql });
            if rows {
                self.counted(session, index, &mut questions).await?;
            } else {
                self.walked(session, index, &mut questions).await?;
            }
        } else {
            self.walked(session, index, &mut questions).await?;
        }
        self.push(index, None, index.bytes + index.table_bytes, questions);
        Ok(())
    }

    async fn counted(
        &mut self,
        session: &mut Session<'_>,
        index: &Index,
        questions: &mut Vec<Question>,
    ) -> Result<(), Trouble> {
        if !index.readable {
            self.skip(
                &index.title,
                "this user has no right to read the table: what the index leads to was not counted",
            );
            return Ok(());
        }
        let Some(statement) = index.count() else { return Ok(()) };
        if let Some(reason) = answered_by(session, index, &statement).await? {
            self.skip(&index.title, format!("what it leads to was not counted: {reason}"));
            return Ok(());
        }
        // Where nobody writes, the table need not be counted again for each index.
        let counted_already = self.scope.options.may_create_extensions
            && self.scope.options.checks.content == Coverage::Full
            && index.predicate.is_none()
            && !index.toast;
        let heap = (!counted_already).then(|| index.heap_count());
        questions.push(Question::Count { index: statement, heap });
        Ok(())
    }

    async fn walked(
        &mut self,
        session: &mut Session<'_>,
        index: &Index,
        questions: &mut Vec<Question>,
    ) -> Result<(), Trouble> {
        if !index.readable {
            self.skip(&index.title, "this user has no right to read the table: it was not held against it");
            return Ok(());
        }
        let (Some(searching), Some(plain)) = (index.walk(true), index.walk(false)) else {
            self.skip(&index.title, "its operator class has no order that could be asked for");
            return Ok(());
        };
        let mut walk = searching;
        if answered_by(session, index, &walk).await?.is_some() {
            walk = plain;
            if let Some(reason) = answered_by(session, index, &walk).await? {
                self.skip(&index.title, format!("its entries were not held against the table: {reason}"));
                return Ok(());
            }
            self.skip(&index.title, "it was walked from end to end, not searched from its root");
        }
        let mut keys = index.key_sums();
        if let Some(statement) = &keys
            && answered_by(session, index, statement).await?.is_some()
        {
            keys = None;
        }
        let heap = if keys.is_some() { index.heap_sums() } else { index.heap_count() };
        questions.push(Question::Walk { walk, keys, heap });
        Ok(())
    }

    async fn lookups(
        &mut self,
        session: &mut Session<'_>,
        index: &Index,
        unseen: &str,
    ) -> Result<(), Trouble> {
        if !index.readable {
            self.skip(&index.title, "this user has no right to read the table: its rows were not looked for");
            return Ok(());
        }
        let Some((head, tail)) = index.lookups() else {
            self.skip(&index.title, "its operator class has no equality that could be asked for");
            return Ok(());
        };
        let first = Pages::between(0, 1);
        let probe = format!("{head}{}{tail}", first.condition("t", &index.table));
        if let Some(reason) = answered_by(session, index, &probe).await? {
            self.skip(&index.title, format!("rows were not looked for in it: {reason}"));
            return Ok(());
        }
        self.skip(&index.title, unseen);
        for (pages, bytes) in ranges(self.scope, index) {
            let question = Question::Lookups { head: head.clone(), tail: tail.clone() };
            self.push(index, Some(pages), bytes, vec![question]);
        }
        Ok(())
    }

    fn push(&mut self, index: &Index, pages: Option<Pages>, bytes: u64, questions: Vec<Question>) {
        if questions.is_empty() {
            return;
        }
        let task = Task { title: index.title.clone(), table: index.table_title.clone(), pages, questions };
        self.planned.jobs.push(Job {
            check: CHECK.into(),
            object: index.name.clone(),
            bytes,
            task: AnyTask::Index(task),
        });
    }
}

/// Whether the table is too large to be gone through by one statement.
pub(crate) fn is_large(scope: &Scope<'_>, index: &Index) -> bool {
    index.table_bytes + index.bytes > whole_up_to(scope)
}

/// The pages of the table in pieces, each with its bytes. They end where the file ends now.
pub(crate) fn ranges(scope: &Scope<'_>, index: &Index) -> Vec<(Pages, u64)> {
    let page = scope.facts.block_size;
    let all = index.table_bytes / page;
    // Two and more searches for each row: a piece takes longer than reading it.
    let at_most = (scope.options.chunk_bytes / page / 8).max(1);
    let ranges = pieces(scope, index.table_bytes, at_most).into_iter();
    ranges
        .map(|piece| {
            let to = piece.to.unwrap_or(all).max(piece.from + 1);
            (Pages { to: Some(to), ..piece }, (to - piece.from) * page * 8)
        })
        .collect()
}

fn rows_trusted(version: u32) -> bool {
    let major = version / 10_000;
    ROWS_TRUSTED_SINCE.iter().find(|(known, _)| *known == major).is_none_or(|(_, since)| version >= *since)
}

#[cfg(test)]
mod tests {
    use super::rows_trusted;

    #[test]
    fn rows_are_trusted_from_the_release_that_mended_amcheck() {
        for (last_bad, first_good) in [
            (120_018, 120_019),
            (130_014, 130_015),
            (140_011, 140_012),
            (150_006, 150_007),
            (160_002, 160_003),
        ] {
            assert!(!rows_trusted(last_bad), "{last_bad}");
            assert!(rows_trusted(first_good), "{first_good}");
        }
        assert!(rows_trusted(170_000));
    }
}
