//! Durations, counts, times and names as people write them.

use std::fmt::Write as _;

use jiff::Timestamp;

/// `1,234,567 rows`, `1 row`.
pub fn count(n: u64, noun: &str) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {noun}{}", if n == 1 { "" } else { "s" })
}

/// `87 ms`, `12.3 s`, `3 min 05 s`, `2 h 04 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    if seconds < 1.0 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    // Whole seconds from here on: hours of a copy fit a u64 many times over.
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

/// `2026-11-20 06:00:04 UTC`: nobody has to guess the zone.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `rowCounts`, `row_counts` and `ROW_COUNTS` are all "row counts" to a person.
pub fn words(name: &str) -> String {
    let shouted = !name.chars().any(char::is_lowercase);
    let mut words = String::new();
    for letter in name.chars() {
        match letter {
            '_' | '-' => words.push(' '),
            _ if letter.is_uppercase() && !shouted => {
                if !words.is_empty() && !words.ends_with(' ') {
                    words.push(' ');
                }
                words.extend(letter.to_lowercase());
            }
            _ => words.extend(letter.to_lowercase()),
        }
    }
    words
}

/// At most `longest` characters, with a mark where the rest is left out.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… (the rest is in the JSON)", text[..end].trim_end()),
    }
}

/// Spells out what cannot be seen: `U+202E` instead of a character that writes what follows from right to left.
///
/// PostgreSQL takes any character but NUL in a name, so two names can look the same, and a name can reorder the
/// sentence it stands in. Letters of right-to-left scripts stay as they are; the page isolates them (`<bdi>`).
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "‹U+{:04X}›", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Control characters but the line feed, and the format characters of Unicode that reorder, join or take no room
/// (UAX #9, "Directional Formatting Characters"; the Unicode Character Database, General_Category=Cf).
fn is_hidden(character: char) -> bool {
    match character {
        '\n' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' => {
            true
        }
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(1_234_567, "row"), "1,234,567 rows");
        assert_eq!(duration(0.0871), "87 ms");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(185.4), "3 min 05 s");
        assert_eq!(duration(7440.0), "2 h 04 min");
        assert_eq!(duration(f64::NAN), "?");
        assert_eq!(words("rowCounts"), "row counts");
        assert_eq!(words("HEALTH_CHECKING"), "health checking");
        assert_eq!(moment("2026-11-20T06:00:04.631Z".parse().unwrap()), "2026-11-20 06:00:04 UTC");
    }

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        assert_eq!(
            visible("a\u{202e}b\u{0}c\u{200b}d\u{feff}e\u{7f}"),
            "a‹U+202E›b‹U+0000›c‹U+200B›d‹U+FEFF›e‹U+007F›"
        );
        assert_eq!(
            visible("orders\n\u{5d4}\u{5d6}\u{5de}\u{5e0}\u{5d5}\u{5ea} \u{1f600}"),
            "orders\nהזמנות 😀"
        );
    }

    #[test]
    fn a_long_text_says_that_it_goes_on() {
        assert_eq!(cut("ééé", 3), "ééé");
        assert_eq!(cut("éé é", 3), "éé… (the rest is in the JSON)");
    }
}
