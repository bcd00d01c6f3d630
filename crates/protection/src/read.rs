//! `holdfast.yaml` into a plan: strict, and every fault with its line and column.

use std::collections::BTreeMap;

use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::objectives::Objectives;
use holdfast_core::request::Tier;
use holdfast_core::retention::{PolicyChange, Span};
use jiff::Timestamp;

use crate::block::{self, Block};
use crate::cadence::{Cadence, expressions};
use crate::file::{Entry, PlanFile, Selector, Settings};
use crate::node::{Fault, Faults, Fields, Kind, Node, Place, below};

/// The environments that a plan need not describe, and the hours between their backups.
pub const ENVIRONMENTS: [(&str, u8); 3] = [("production", 6), ("staging", 12), ("development", 24)];

/// Minutes within which a backup begins when the plan does not say it.
const USUAL_WINDOW: u32 = 15;

/// Reads a plan. `home` is the Region of its databases, where that is known; `now` says what is yet to come.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file; what is no YAML, alone.
pub fn read(text: &str, home: Option<&Region>, now: Timestamp) -> Result<PlanFile, Vec<Fault>> {
    let node = Node::parse(text).map_err(|fault| vec![fault])?;
    let mut reader = Reader { faults: Faults::default(), home, now };
    match (reader.plan(&node), reader.faults.is_empty()) {
        (Some(plan), true) => Ok(plan),
        _ => Err(reader.faults.sorted()),
    }
}

struct Reader<'h> {
    faults: Faults,
    home: Option<&'h Region>,
    now: Timestamp,
}

/// What holds for an entry, the most special first.
struct Layers<'a, 'n>(Vec<&'a Block<'n>>);

impl<'a, 'n> Layers<'a, 'n> {
    fn first<T>(&self, what: impl Fn(&'a Block<'n>) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|block| what(block))
    }

    /// A block of the file that is read elsewhere, and how it is called.
    fn node(&self, name: &str) -> Option<(&'n Node, String)> {
        self.first(|block| {
            let node = match name {
                "validation" => block.validation,
                "baseline" => block.baseline,
                _ => None,
            };
            Some((node?, below(&block.path, name)))
        })
    }
}

impl Reader<'_> {
    fn plan(&mut self, node: &Node) -> Option<PlanFile> {
        let top = ["version", "name", "allowEmpty", "defaults", "environments", "databases", "forget"];
        let fields = self.faults.fields(node, "", &top)?;
        match fields.get("version") {
            Some((node, path)) => drop(self.faults.number(node, &path, 1, 1)),
            None => self.missing(&fields, "version", "write version: 1"),
        }
        let name = self.name(&fields);
        let defaults =
            fields.get("defaults").map(|(node, path)| self.defaults(node, &path)).unwrap_or_default();
        let environments = self.environments(&fields);
        let Some((node, path)) = fields.get("databases") else {
            self.missing(&fields, "databases", "list what is to be protected");
            return None;
        };
        let allow_empty = fields.get("allowEmpty").and_then(|(node, path)| self.faults.truth(node, &path));
        let items = self.faults.items(node, &path)?;
        if items.is_empty() && allow_empty != Some(true) {
            let why = "it is empty, and so every schedule would go; allowEmpty: true at the top lets it pass";
            self.faults.add(node.place, format!("{path}: {why}"));
        }
        let mut entries = Vec::new();
        for (n, item) in items.iter().enumerate() {
            entries.extend(self.entry(item, &format!("{path}[{n}]"), &defaults, &environments));
        }
        self.twice(&entries);
        let forget = self.forget(&fields, &entries);
        Some(PlanFile { name: name?, entries, forget })
    }

    /// What is to be forgotten is not to be protected as well.
    fn forget(&mut self, fields: &Fields<'_>, entries: &[Entry]) -> Vec<(DatabaseId, Place)> {
        let mut all: Vec<(DatabaseId, Place)> = Vec::new();
        let Some((node, path)) = fields.get("forget") else { return all };
        for (n, item) in self.faults.items(node, &path).unwrap_or_default().iter().enumerate() {
            let path = format!("{path}[{n}]");
            let Some(id) = self.database(item, &path) else { continue };
            let entry = entries.iter().find(|entry| entry.selector == Selector::Id(id.clone()));
            if let Some(entry) = entry {
                let line = entry.place.line;
                self.faults
                    .add(item.place, format!("{path}: {id} is protected in line {line}; say one of both"));
            } else if all.iter().any(|(other, _)| *other == id) {
                self.faults.add(item.place, format!("{path}: {id} is named twice; name it once"));
            } else {
                all.push((id, item.place));
            }
        }
        all
    }

    fn database(&mut self, node: &Node, path: &str) -> Option<DatabaseId> {
        let text = self.faults.text(node, path)?;
        match DatabaseId::parse(text) {
            Ok(id) => Some(id),
            Err(error) => {
                self.faults.add(node.place, error.message.replacen("databaseId", path, 1));
                None
            }
        }
    }

    fn missing(&mut self, fields: &Fields<'_>, name: &str, what: &str) {
        self.faults.add(fields.place, format!("{}: it is missing; {what}", below(&fields.path, name)));
    }

    fn name(&mut self, fields: &Fields<'_>) -> Option<String> {
        let Some((node, path)) = fields.get("name") else {
            self.missing(fields, "name", "it is written into every schedule");
            return None;
        };
        let name = self.faults.text(node, &path)?;
        let well_formed = (1..=64).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !well_formed {
            self.faults.add(node.place, format!("{path}: {name:?} is not 1-64 letters, digits and ._-"));
        }
        Some(name.to_owned())
    }

    fn defaults<'n>(&mut self, node: &'n Node, path: &str) -> (Block<'n>, Option<(String, Place)>) {
        let allowed: Vec<&str> = ["environment"].into_iter().chain(block::KEYS).collect();
        let Some(fields) = self.faults.fields(node, path, &allowed) else { return Default::default() };
        (Block::read(&mut self.faults, &fields, self.home), self.environment(&fields))
    }

    fn environment(&mut self, fields: &Fields<'_>) -> Option<(String, Place)> {
        let (node, path) = fields.get("environment")?;
        Some((self.faults.text(node, &path)?.to_owned(), node.place))
    }

    fn environments<'n>(&mut self, fields: &Fields<'n>) -> BTreeMap<String, Block<'n>> {
        let mut all = BTreeMap::new();
        let Some((node, path)) = fields.get("environments") else { return all };
        let Kind::Map(pairs) = &node.kind else {
            self.faults.fields(node, &path, &[]);
            return all;
        };
        for (key, node) in pairs {
            let path = below(&path, &key.name);
            // No hyphen: `environment-database-tier` names a schedule and must be read one way only.
            let well_formed = key.name.len() <= 20
                && key.name.starts_with(|c: char| c.is_ascii_lowercase())
                && key.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            if !well_formed {
                let why = format!(
                    "{path}: {:?} is not 1-20 lower-case letters and digits, first a letter",
                    key.name
                );
                self.faults.add(key.place, why);
            }
            let Some(fields) = self.faults.fields(node, &path, &block::KEYS) else { continue };
            all.insert(key.name.clone(), Block::read(&mut self.faults, &fields, self.home));
        }
        all
    }

    fn entry(
        &mut self,
        node: &Node,
        path: &str,
        (defaults, usual): &(Block<'_>, Option<(String, Place)>),
        environments: &BTreeMap<String, Block<'_>>,
    ) -> Option<Entry> {
        let own = ["id", "tagged", "allowEmpty", "environment"];
        let allowed: Vec<&str> = own.into_iter().chain(block::KEYS).collect();
        let fields = self.faults.fields(node, path, &allowed)?;
        let selector = self.selector(&fields);
        let allow_empty = fields.get("allowEmpty").and_then(|(node, path)| self.faults.truth(node, &path));
        let block = Block::read(&mut self.faults, &fields, self.home);
        let Some((environment, place)) = self.environment(&fields).or_else(|| usual.clone()) else {
            self.missing(
                &fields,
                "environment",
                "say production, staging, development or one of environments",
            );
            return None;
        };
        let known: Vec<&str> = ENVIRONMENTS
            .iter()
            .map(|(name, _)| *name)
            .chain(environments.keys().map(String::as_str))
            .collect();
        if !known.contains(&environment.as_str()) {
            let mut known = known;
            known.sort_unstable();
            known.dedup();
            let why = format!(
                "environment: {environment:?} is not one of {}; describe it under environments",
                known.join(", ")
            );
            self.faults.add(place, why);
            return None;
        }
        let mut layers = vec![&block];
        layers.extend(environments.get(&environment));
        layers.push(defaults);
        let settings = self.settings(&fields, environment, &Layers(layers))?;
        let entry = Entry {
            selector: selector?,
            allow_empty: allow_empty.unwrap_or(false),
            settings,
            place: node.place,
        };
        self.schedules_meet(&entry, &block);
        Some(entry)
    }

    fn selector(&mut self, fields: &Fields<'_>) -> Option<Selector> {
        match (fields.get("id"), fields.get("tagged")) {
            (Some((node, path)), None) => self.database(node, &path).map(Selector::Id),
            (None, Some((node, path))) => {
                let (tags, _) = block::tags(&mut self.faults, node, &path)?;
                if tags.is_empty() {
                    self.faults
                        .add(node.place, format!("{path}: it names no tag; every database would be meant"));
                    return None;
                }
                Some(Selector::Tags(tags))
            }
            (Some(_), Some((node, path))) => {
                self.faults.add(node.place, format!("{path}: name either id or tagged, not both"));
                None
            }
            (None, None) => {
                self.faults.add(
                    fields.place,
                    format!("{}: name the database by id, or its tags under tagged", fields.path),
                );
                None
            }
        }
    }

    fn settings(
        &mut self,
        fields: &Fields<'_>,
        environment: String,
        layers: &Layers<'_, '_>,
    ) -> Option<Settings> {
        let importance = layers.first(|block| block.importance).unwrap_or_default();
        let usual = importance.objectives();
        let objectives = Objectives {
            rto_seconds: layers.first(|block| block.rto).unwrap_or(usual.rto_seconds),
            rpo_seconds: layers.first(|block| block.rpo).unwrap_or(usual.rpo_seconds),
        };
        let Some(targets) = layers.first(|block| block.targets.clone()) else {
            if !layers.0.iter().any(|block| block.has_targets) {
                self.missing(fields, "targets", "list the Regions of the copies, or [] for none");
            }
            return None;
        };
        let schedules = self.schedules(fields, &environment, layers, targets.is_empty());
        let retention = self.retention(layers);
        let settings = Settings {
            environment,
            importance,
            objectives,
            window_minutes: layers.first(|block| block.window).map_or(USUAL_WINDOW, |(minutes, _)| minutes),
            targets,
            validation: layers.node("validation").map(|(node, _)| node.to_json()),
            baseline: layers.node("baseline").map(|(node, _)| node.to_json()),
            tags: layers.first(|block| block.tags.clone()).map(|(tags, _)| tags).unwrap_or_default(),
            deadline_minutes: layers.first(|block| block.deadline).map(|(minutes, _)| minutes),
            retention,
            notifications: layers.first(|block| block.notifications.clone()).unwrap_or_default(),
            schedules,
        };
        self.kept(fields, layers, &settings);
        self.input(fields, layers, &settings);
        Some(settings)
    }

    /// Tier by tier: what the most special block says of it, else what the environment has by itself.
    fn schedules(
        &mut self,
        fields: &Fields<'_>,
        environment: &str,
        layers: &Layers<'_, '_>,
        without_copies: bool,
    ) -> BTreeMap<Tier, Cadence> {
        let mut all = BTreeMap::new();
        if let Some((_, hours)) = ENVIRONMENTS.iter().find(|(name, _)| *name == environment) {
            all.insert(Tier::Daily, Cadence::Every { hours: *hours, at: None });
        }
        for tier in crate::cadence::TIERS {
            let Some((cadence, place)) = layers.first(|block| block.schedules.get(&tier)) else { continue };
            let Some(cadence) = cadence else {
                all.remove(&tier);
                continue;
            };
            let name = tier.as_str();
            if tier != Tier::Daily && without_copies {
                let why = format!(
                    "schedules.{name}: what is kept so long needs a copy in another Region, and {}.targets is empty; name \
                     a target, or write {name}: none",
                    fields.path
                );
                self.faults.add(*place, why);
            }
            if let Cadence::Cron(cron) = cadence
                && cron.after(self.now).next().is_none()
            {
                self.faults.add(*place, format!("schedules.{name}.cron: {cron} never comes"));
            }
            all.insert(tier, cadence.clone());
        }
        if all.is_empty() {
            let why = format!("{}.schedules: there is none, and so no backup; name one", fields.path);
            self.faults.add(fields.place, why);
        }
        all
    }

    /// Number by number, as the most special block says it. What none says is not known here: it is the deployment's.
    fn retention(&mut self, layers: &Layers<'_, '_>) -> Option<PolicyChange> {
        let mut said: Option<PolicyChange> = None;
        // From the most general to the most special.
        for block in layers.0.iter().rev() {
            let Some(node) = block.retention else { continue };
            let path = below(&block.path, "retention");
            let general = said.unwrap_or_default();
            match PolicyChange::read(&node.to_json()).and_then(|own| own.over(general).checked()) {
                Ok(changed) => said = Some(changed),
                Err(error) => self.elsewhere(node, &path, "policy", &error.message),
            }
        }
        // A block that says no number says nothing.
        said.filter(|said| *said != PolicyChange::default())
    }

    /// What another reader said of a part of the file, told where it stands: `named` is what that reader calls it.
    fn elsewhere(&mut self, node: &Node, path: &str, named: &str, message: &str) {
        let message = message.strip_prefix("input.").unwrap_or(message);
        let (place, what) = message.split_once(": ").unwrap_or((named, message));
        let rest = place.strip_prefix(named).unwrap_or_default();
        self.faults.add(node.place_of(rest), format!("{path}{rest}: {what}"));
    }

    /// A schedule whose backups no rule keeps is a mistake.
    fn kept(&mut self, fields: &Fields<'_>, layers: &Layers<'_, '_>, settings: &Settings) {
        let Some(said) = settings.retention else { return };
        for span in Span::ALL {
            let tier = span.tier();
            if !settings.schedules.contains_key(&tier) || said.count(span) != Some(0) || tier == Tier::Daily {
                continue;
            }
            let place =
                layers.first(|block| block.schedules.get(&tier)).map_or(fields.place, |(_, place)| *place);
            let name = tier.as_str();
            self.faults.add(
                place,
                format!(
                    "schedules.{name}: {}.retention.{name} is 0, so that nothing is kept for it",
                    fields.path
                ),
            );
        }
    }

    /// The input of each scheduled backup is read as the backup will read it.
    fn input(&mut self, fields: &Fields<'_>, layers: &Layers<'_, '_>, settings: &Settings) {
        let database = match fields.get("id") {
            Some((Node { kind: Kind::Text(id), .. }, _)) if DatabaseId::parse(id).is_ok() => id.as_str(),
            _ => "a-database",
        };
        let Err(error) = settings.request(database, Tier::Daily, self.home) else { return };
        let message = error.strip_prefix("input.").unwrap_or(&error);
        let first = message.split(['.', ':', '[']).next().unwrap_or_default();
        match (layers.node(first), first) {
            (Some((node, path)), _) => self.elsewhere(node, &path, first, message),
            (None, "tags") => {
                let place = layers.first(|block| block.tags.clone()).map_or(fields.place, |(_, place)| place);
                self.faults.add(place, message.replacen("tags", "snapshotTags", 1));
            }
            (None, _) => self.faults.add(fields.place, format!("{}: {message}", fields.path)),
        }
    }

    /// Schedules of one database never come at the same time, and never before the window of the last one is over.
    fn schedules_meet(&mut self, entry: &Entry, block: &Block<'_>) {
        let id = match &entry.selector {
            Selector::Id(id) => id.clone(),
            // The same for whatever database is meant: those without a time make way.
            Selector::Tags(_) => match DatabaseId::parse("a-database") {
                Ok(id) => id,
                Err(_) => return,
            },
        };
        let place_of = |tier: Tier| block.schedules.get(&tier).map_or(entry.place, |(_, place)| *place);
        match expressions(&id, &entry.settings.schedules) {
            Ok(all) => {
                let window = entry.settings.window_minutes;
                let close = |gap: &jiff::SignedDuration| gap.as_mins() <= i64::from(window);
                for (tier, cron) in all {
                    if let Some(gap) = cron.shortest_gap().filter(close) {
                        let why = format!(
                            "window: {window} minutes are not over when the {} backup comes again, after {}",
                            tier.as_str(),
                            gap.as_mins()
                        );
                        self.faults.add(block.window.map_or(entry.place, |(_, place)| place), why);
                    }
                }
            }
            Err(meeting) => {
                let (tier, with) = (meeting.tier.as_str(), meeting.with.as_str());
                let why = format!(
                    "schedules.{tier}: it comes at the same time as the {with} backup (as on {}), and the time is the \
                     run's name: they would be one backup; choose another minute",
                    meeting.at
                );
                self.faults.add(place_of(meeting.tier), why);
            }
        }
    }

    /// No two entries mean the same by the same words.
    fn twice(&mut self, entries: &[Entry]) {
        for (n, entry) in entries.iter().enumerate() {
            if let Some(first) = entries[..n].iter().find(|other| other.selector == entry.selector) {
                let why = format!(
                    "databases[{n}]: {} is there already, in line {}; name it once",
                    entry.selector, first.place.line
                );
                self.faults.add(entry.place, why);
            }
        }
    }
}
