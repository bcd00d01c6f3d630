//! The parameters of one request, as the query protocol spells them.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::error::RdsError;
use crate::state::Tags;

/// `Name=value` pairs; lists are `Name.member.1`, or with the list's own word in the middle.
#[derive(Clone, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn parse(query: &str, body: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).chain(url::form_urlencoded::parse(body));
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, RdsError> {
        self.text(name).ok_or_else(|| RdsError::missing(name))
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, RdsError> {
        let bad = |text| RdsError::invalid_value(format!("Invalid value {text} for {name}"));
        self.text(name).map(|text| text.parse().map_err(|_| bad(text))).transpose()
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, RdsError> {
        self.parsed(name)
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, RdsError> {
        self.parsed(name)
    }

    /// What follows `Name.<word>.`, grouped by position: `("1", {"Key": .., "Value": ..})`.
    fn members(&self, name: &str) -> Vec<BTreeMap<&str, &str>> {
        let mut members: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
        for (key, value) in &self.0 {
            let Some(rest) = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            // `member.1.Key`, `Tag.1.Key`, or flattened `1.Key`.
            let rest = match rest.split_once('.') {
                Some((word, after)) if word.parse::<u32>().is_err() => after,
                _ => rest,
            };
            let (position, field) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(position) = position.parse() {
                members.entry(position).or_default().insert(field, value.as_str());
            }
        }
        members.into_values().collect()
    }

    /// A list of texts.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let members = self.members(name);
        members.iter().filter_map(|member| member.get("")).map(|text| (*text).to_owned()).collect()
    }

    /// A list of structures.
    pub(crate) fn structures(&self, name: &str) -> Vec<BTreeMap<&str, &str>> {
        self.members(name)
    }

    /// `Tags`, when any were given.
    pub(crate) fn tags(&self) -> Result<Option<Tags>, RdsError> {
        let members = self.structures("Tags");
        if members.is_empty() {
            return Ok(None);
        }
        let mut tags = Tags::new();
        for member in members {
            let key = member.get("Key").copied().unwrap_or_default();
            if key.is_empty() || key.len() > 128 {
                return Err(RdsError::invalid_value("Tag keys must be 1 to 128 characters long."));
            }
            if key.to_ascii_lowercase().starts_with("aws:") {
                let why = "aws: prefixed tag key names are not allowed for external use.";
                return Err(RdsError::invalid_value(why));
            }
            tags.insert(key.to_owned(), member.get("Value").copied().unwrap_or_default().to_owned());
        }
        if tags.len() > 50 {
            return Err(RdsError::invalid_value("A resource can have at most 50 tags."));
        }
        Ok(Some(tags))
    }

    /// The values of one `Filters` entry.
    pub(crate) fn filter(&self, wanted: &str) -> Option<Vec<String>> {
        let filters = self.structures("Filters");
        let filter = filters.iter().find(|filter| filter.get("Name") == Some(&wanted))?;
        let values = filter.iter().filter(|(field, _)| field.starts_with("Values."));
        Some(values.map(|(_, value)| (*value).to_owned()).collect())
    }

    /// `MaxRecords`, 20 to 100, and the key after which the page begins.
    pub(crate) fn page(&self) -> Result<(usize, Option<String>), RdsError> {
        self.page_of(100)
    }

    /// The same where a page may be larger.
    pub(crate) fn page_of(&self, most: i64) -> Result<(usize, Option<String>), RdsError> {
        let records = self.number("MaxRecords")?.unwrap_or(100);
        if !(20..=most).contains(&records) {
            let why = format!("Invalid value {records} for MaxRecords. Must be between 20 and {most}");
            return Err(RdsError::invalid_value(why));
        }
        let bad = || RdsError::invalid_value("The Marker is not valid.");
        let after = self.text("Marker").map(|marker| {
            let bytes = hex::decode(marker).map_err(|_| bad())?;
            String::from_utf8(bytes).map_err(|_| bad())
        });
        Ok((usize::try_from(records).unwrap_or(100), after.transpose()?))
    }
}

/// Cuts one page out of records sorted by key; answers it and the next page's marker.
pub(crate) fn paged<'a, T>(
    records: Vec<(&'a str, &'a T)>,
    page: (usize, Option<String>),
) -> (Vec<&'a T>, Option<String>) {
    let (size, after) = page;
    let mut rest = records
        .into_iter()
        .skip_while(|(key, _)| after.as_deref().is_some_and(|after| *key <= after))
        .peekable();
    let mut shown = Vec::new();
    let mut last = "";
    while shown.len() < size {
        let Some((key, record)) = rest.next() else { break };
        last = key;
        shown.push(record);
    }
    let marker = rest.peek().is_some().then(|| hex::encode(last));
    (shown, marker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_in_every_spelling() {
        let body = b"Tags.Tag.1.Key=a&Tags.Tag.1.Value=b+c&Tags.member.2.Key=d&Ids.VpcSecurityGroupId.1=x&Ids.member.2=y";
        let params = Params::parse("", body);
        let tags = params.tags().unwrap().unwrap();
        assert_eq!((tags["a"].as_str(), tags["d"].as_str()), ("b c", ""));
        assert_eq!(params.list("Ids"), ["x", "y"]);
        let params =
            Params::parse("", b"Filters.Filter.1.Name=db-instance-id&Filters.Filter.1.Values.Value.1=x");
        assert_eq!(params.filter("db-instance-id").unwrap(), ["x"]);
        assert_eq!(params.filter("engine"), None);
    }

    #[test]
    fn reserved_tags_and_odd_pages_are_refused() {
        let params = Params::parse("", b"Tags.Tag.1.Key=aws:x&MaxRecords=5");
        assert_eq!(params.tags().unwrap_err().code, "InvalidParameterValue");
        assert_eq!(params.page().unwrap_err().code, "InvalidParameterValue");
    }

    #[test]
    fn pages_join_without_gap_or_overlap() {
        let keys: Vec<String> = (0..45).map(|n| format!("k{n:02}")).collect();
        let records = || keys.iter().map(|key| (key.as_str(), key)).collect::<Vec<_>>();
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let query = marker.map(|m| format!("&Marker={m}")).unwrap_or_default();
            let params = Params::parse(&format!("MaxRecords=20{query}"), b"");
            let (page, next) = paged(records(), params.page().unwrap());
            seen.extend(page.into_iter().cloned());
            marker = next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, keys);
    }
}
