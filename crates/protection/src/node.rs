//! A YAML file as a tree in which everything knows where it stands, and reading it so that every fault is told at once.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// A place in the file, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column, in characters.
    pub column: u64,
}

/// Something that is wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What, in one sentence that names the field and what is allowed.
    pub message: String,
}

impl fmt::Display for Fault {
    /// `12:7: databases[0].schedules.weekly.cron: ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place.line, self.place.column, self.message)
    }
}

/// A part of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it begins.
    pub place: Place,
}

/// What a part of the file is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing, `null`, `~`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Anything else.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; no key is there twice.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// The word.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    /// Reads a file that holds one document.
    ///
    /// # Errors
    /// Where it is no YAML, or where a key is there twice.
    pub fn parse(text: &str) -> Result<Node, Fault> {
        // A plan says things once by its defaults and environments; `<<` is YAML 1.1's, and hides where a value stands.
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        };
        serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|error| {
            let place = error
                .location()
                .map_or(Place { line: 1, column: 1 }, |at| Place { line: at.line(), column: at.column() });
            Fault { place, message: sentence(&error.to_string()) }
        })
    }

    /// The same without its places.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(yes) => Value::Bool(*yes),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(pairs) => Value::Object(
                pairs.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// Where `path` (`checks.content`, `assertions[0].expect`) stands below this part; where it goes on no further, the
    /// last place that there is.
    pub fn place_of(&self, path: &str) -> Place {
        let mut here = self;
        let mut place = self.place;
        for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
            let next = match &here.kind {
                Kind::Map(pairs) => {
                    pairs.iter().find(|(key, _)| key.name == step).map(|(key, node)| (key.place, node))
                }
                Kind::List(items) => {
                    step.parse::<usize>().ok().and_then(|n| items.get(n)).map(|node| (node.place, node))
                }
                Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => None,
            };
            let Some((there, node)) = next else { break };
            (place, here) = (there, node);
        }
        place
    }

    /// What kind of thing it is, as a person says it.
    fn word(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(yes) => yes.to_string(),
            Kind::Number(number) => number.to_string(),
            Kind::Text(text) => format!("{text:?}"),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// The parser's sentence without its own account of the place, which is told in front of it, and without what it says
/// to whoever programs with it.
fn sentence(text: &str) -> String {
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let begin = match text.strip_prefix("line ").and_then(|rest| rest.find(": ")) {
        Some(colon) => "line ".len() + colon + 2,
        None => 0,
    };
    let text = text.get(begin..).unwrap_or(text);
    let end = [" at line ", "; use ", ", set "].iter().filter_map(|advice| text.find(advice)).min();
    let text = text.get(..end.unwrap_or(text.len())).unwrap_or(text);
    if let Some(key) = text.strip_prefix("duplicate mapping key: ") {
        return format!("the key {key} is there twice; a key is there once");
    }
    match text {
        "multiple YAML documents detected" => "a second document begins here; a plan is one".to_owned(),
        "YAML merge keys are not allowed by configured policy" => {
            "<< is no key of YAML 1.2; say it under defaults or environments".to_owned()
        }
        "cannot deserialize null into string" | "expected string scalar" => "a key must be a text".to_owned(),
        other => format!("this is no YAML: {other}"),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Node { kind: found.value, place: place(&found.referenced) })
    }
}

fn place(at: &serde_saphyr::Location) -> Place {
    Place { line: at.line(), column: at.column() }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(yes))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Kind, E> {
        Ok(Kind::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Kind, E> {
        Ok(Kind::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Kind, E> {
        Number::from_f64(number).map(Kind::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut pairs: Vec<(Key, Node)> = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let key = Key { place: place(&key.referenced), name: key.value };
            if pairs.iter().any(|(other, _)| other.name == key.name) {
                return Err(A::Error::custom(format!("the key {:?} is there twice", key.name)));
            }
            pairs.push((key, map.next_value()?));
        }
        Ok(Kind::Map(pairs))
    }
}

/// Collects faults while the tree is read.
#[derive(Debug, Default)]
pub struct Faults {
    all: Vec<Fault>,
}

impl Faults {
    /// Adds one, once.
    pub fn add(&mut self, place: Place, message: impl Into<String>) {
        let fault = Fault { place, message: message.into() };
        if !self.all.contains(&fault) {
            self.all.push(fault);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them, in the order of the file.
    pub fn sorted(mut self) -> Vec<Fault> {
        self.all.sort();
        self.all
    }

    fn kind(&mut self, node: &Node, path: &str, wanted: &str) {
        let path = if path.is_empty() { "the file" } else { path };
        self.add(node.place, format!("{path}: {} is not {wanted}", node.word()));
    }

    /// The fields of a mapping that has no others than `allowed`.
    pub fn fields<'a>(&mut self, node: &'a Node, path: &str, allowed: &[&str]) -> Option<Fields<'a>> {
        let Kind::Map(pairs) = &node.kind else {
            self.kind(node, path, "a mapping");
            return None;
        };
        for (key, _) in pairs.iter().filter(|(key, _)| !allowed.contains(&key.name.as_str())) {
            let name = below(path, &key.name);
            self.add(key.place, format!("{name}: unknown key; known here: {}", allowed.join(", ")));
        }
        Some(Fields { pairs, path: path.to_owned(), place: node.place })
    }

    /// The items of a list.
    pub fn items<'a>(&mut self, node: &'a Node, path: &str) -> Option<&'a [Node]> {
        if let Kind::List(items) = &node.kind {
            return Some(items);
        }
        self.kind(node, path, "a list");
        None
    }

    /// A text.
    pub fn text<'a>(&mut self, node: &'a Node, path: &str) -> Option<&'a str> {
        match &node.kind {
            Kind::Text(text) => Some(text),
            Kind::Bool(_) | Kind::Number(_) => {
                self.kind(node, path, "a text; put it in quotes");
                None
            }
            Kind::Null | Kind::List(_) | Kind::Map(_) => {
                self.kind(node, path, "a text");
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn truth(&mut self, node: &Node, path: &str) -> Option<bool> {
        if let Kind::Bool(yes) = node.kind {
            return Some(yes);
        }
        self.kind(node, path, "true or false");
        None
    }

    /// A whole number of these bounds.
    pub fn number(&mut self, node: &Node, path: &str, least: u32, most: u32) -> Option<u32> {
        if let Kind::Number(number) = &node.kind {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
            if let Some(number) = number.filter(|number| (least..=most).contains(number)) {
                return Some(number);
            }
        }
        self.kind(node, path, &format!("a whole number from {least} to {most}"));
        None
    }
}

/// `path.name`, or `name` alone at the top.
pub fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The fields of a mapping.
#[derive(Debug)]
pub struct Fields<'a> {
    pairs: &'a [(Key, Node)],
    /// How the mapping is called.
    pub path: String,
    /// Where it begins.
    pub place: Place,
}

impl<'a> Fields<'a> {
    /// A field that is there, and how it is called. `null` is there as well: nobody writes it for nothing.
    pub fn get(&self, name: &str) -> Option<(&'a Node, String)> {
        let (_, node) = self.pairs.iter().find(|(key, _)| key.name == name)?;
        Some((node, below(&self.path, name)))
    }

    /// All of them.
    pub fn all(&self) -> &'a [(Key, Node)] {
        self.pairs
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_knows_where_it_stands() {
        let node = Node::parse("a: 1\nlist:\n  - x: yes\n    y: [1.5, null, true]\n  - 'q'\n").unwrap();
        assert_eq!(node.to_json(), json!({"a": 1, "list": [{"x": "yes", "y": [1.5, null, true]}, "q"]}));
        let at = |path: &str| {
            let place = node.place_of(path);
            (place.line, place.column)
        };
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("list[0].y"), (4, 5));
        assert_eq!(at("list[0].y[2]"), (4, 20));
        assert_eq!(at("list[1]"), (5, 5));
        assert_eq!(at("list[1].nothing.here"), (5, 5));
    }

    #[test]
    fn what_is_no_yaml_and_what_is_there_twice_is_refused_where_it_is() {
        for (text, at, said) in [
            ("a: 1\nb:\n  c: 1\n  c: 2\n", (4, 3), "the key c is there twice; a key is there once"),
            ("a: 1\na: 2\n", (2, 1), "the key a is there twice; a key is there once"),
            ("a: [1\nb: 2\n", (2, 2), "this is no YAML: illegal placement of ':' indicator"),
            ("a: *nobody\n", (1, 4), "this is no YAML: alias references unknown anchor"),
            ("a: 1\n---\nb: 2\n", (3, 1), "a second document begins here; a plan is one"),
            ("a: 1\n? [b]\n: 2\n", (2, 3), "a key must be a text"),
            ("a: {b: 1,\n", (1, 4), "this is no YAML: unclosed bracket '{'"),
            (
                "a: &a {c: 1}\nb:\n  <<: *a\n",
                (3, 3),
                "<< is no key of YAML 1.2; say it under defaults or environments",
            ),
        ] {
            let fault = Node::parse(text).unwrap_err();
            assert_eq!((fault.place.line, fault.place.column), at, "{text:?}: {fault}");
            assert_eq!(fault.message, said, "{text:?}");
        }
    }

    /// Nine anchors, each nine times the one before: two hundred bytes that would be half a billion values.
    #[test]
    fn a_file_that_swells_when_it_is_read_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let many = vec![format!("*a{}", n - 1); 9].join(", ");
            text += &format!("a{n}: &a{n} [{many}]\n");
        }
        let began = std::time::Instant::now();
        let fault = Node::parse(&text).unwrap_err();
        assert!(fault.message.starts_with("this is no YAML: "), "{fault}");
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
        // So is one that is deeper than anybody writes.
        let deep = format!("a: {}{}\n", "[".repeat(500), "]".repeat(500));
        assert!(Node::parse(&deep).unwrap_err().message.starts_with("this is no YAML: "));
    }
}
