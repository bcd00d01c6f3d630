//! The page in a real browser: what a person sees, on a screen, on a telephone and on paper.

use std::path::PathBuf;

use holdfast_report::{html, words::visible};
use serde_json::{Value, json};

use crate::chromium::Browser;
use crate::samples::{self, HOSTILE};

/// A4 in CSS pixels between the margins that the page asks for (210 - 2 x 12 mm).
const PAPER: u32 = 703;

/// Elements that reach over the right edge, and whether the page scrolls sideways.
const TOO_WIDE: &str = r#"(() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > width + 0.5);
  const scrolls = document.documentElement.scrollWidth > width ? ['the page scrolls sideways'] : [];
  return wide.map(one => one.tagName + ': ' + one.textContent.slice(0, 60)).concat(scrolls);
})()"#;

/// Texts whose contrast is under 4.5 (WCAG 2.2, success criterion 1.4.3, level AA).
const TOO_FAINT: &str = r#"(() => {
  const parts = colour => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = one => {
    for (; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  let looked = 0;
  while (walker.nextNode()) {
    if (!walker.currentNode.textContent.trim()) continue;
    const one = walker.currentNode.parentElement;
    const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))];
    looked += 1;
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) faint.push(one.tagName + ': ' + one.textContent);
  }
  return looked > 50 ? faint : ['only ' + looked + ' texts'];
})()"#;

/// Where pictures are left for a person to look at.
fn gallery() -> PathBuf {
    let folder = std::env::var_os("HOLDFAST_SCREENSHOTS")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report"), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn keep(name: &str, bytes: &[u8]) {
    std::fs::write(gallery().join(name), bytes).expect("a picture");
}

/// Pages of a PDF: its page objects stand there as plain text.
fn pages(pdf: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pdf);
    assert!(text.starts_with("%PDF-"), "not a PDF");
    text.matches("/Type /Page").count() - text.matches("/Type /Pages").count()
}

#[test]
fn everybody_sees_the_verdict_first_and_all_of_the_page() {
    let Some(mut browser) = Browser::start() else { return };
    for (name, report) in samples::all() {
        let page = html(&report).expect("a page");
        keep(&format!("{name}.html"), page.as_bytes());
        browser.open(&page, 1280);
        let verdict = match name {
            "valid" | "partial" | "copy-invalid" => "VALID",
            "invalid" | "hostile" => "INVALID",
            "inconclusive" => "INCONCLUSIVE",
            "not-run" => "NOT RUN",
            "failed" => "NO VERDICT",
            other => panic!("which verdict has {other}?"),
        };
        let first = "[...document.querySelectorAll('h1,h2,h3,h4')][0]";
        assert_eq!(browser.eval(&format!("{first}.textContent")), verdict, "{name}");
        let seen = format!("(r => r.height > 10 && r.bottom < 300)({first}.getBoundingClientRect())");
        assert_eq!(browser.eval(&seen), true, "{name}: the verdict is not at the top");
        let title = browser.eval("document.title");
        assert!(
            title.as_str().is_some_and(|title| title.starts_with(&format!("{verdict}: prod-db"))),
            "{title}"
        );
        assert_eq!(browser.eval(TOO_FAINT), json!([]), "{name}");
        for (media, width) in [("screen", 1280), ("screen", 800), ("screen", 360), ("print", PAPER)] {
            browser.as_printed(media == "print");
            browser.resize(width);
            assert_eq!(browser.eval(TOO_WIDE), json!([]), "{name} on {media}, {width} wide");
            if ["valid", "invalid", "hostile"].contains(&name) && width != 800 {
                keep(&format!("{name}-{media}-{width}.png"), &browser.picture());
            }
        }
        browser.as_printed(false);
        let requests = browser.requests();
        assert!(requests.len() == 1 && requests[0].ends_with("/page.html"), "{name} asked for {requests:?}");
    }
}

#[test]
fn a_backup_as_most_are_fits_on_one_sheet() {
    let Some(mut browser) = Browser::start() else { return };
    for (name, report) in samples::all() {
        browser.open(&html(&report).expect("a page"), 1280);
        let pdf = browser.pdf();
        keep(&format!("{name}.pdf"), &pdf);
        let most = match name {
            "valid" | "not-run" | "failed" => 1,
            "partial" | "inconclusive" | "invalid" => 2,
            _ => 10,
        };
        assert!((1..=most).contains(&pages(&pdf)), "{name} is {} pages", pages(&pdf));
    }
}

#[test]
fn a_hostile_name_stays_a_name() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&html(&samples::hostile()).expect("a page"), 1280);
    assert_eq!(browser.eval("document.querySelectorAll('script, img, iframe, object, link').length"), 0);
    assert_eq!(browser.eval("document.querySelectorAll('style').length"), 1);
    let title = browser.eval("document.title");
    assert!(title.as_str().is_some_and(|title| title.starts_with("INVALID: prod-db")), "{title}");
    // Every one is there, letter by letter; what cannot be seen is spelled out.
    let shown = browser.eval("[...document.querySelectorAll('#wrong li b')].map(one => one.textContent)");
    for name in HOSTILE {
        let expected = json!(visible(name));
        assert!(shown.as_array().is_some_and(|shown| shown.contains(&expected)), "{name} is not in {shown}");
    }
    assert!(!browser.eval("document.documentElement.textContent").to_string().contains('\u{202e}'));
    // A name that is written from right to left does not turn the sentence round: the message comes after it.
    let order =
        "[...document.querySelectorAll('#wrong li')].filter(li => /[\\u0590-\\u06ff]/.test(li.textContent))
        .map(li => li.querySelector('b').getBoundingClientRect().left
            < li.lastElementChild.getBoundingClientRect().left)";
    assert_eq!(browser.eval(order), json!([true]));
}

#[test]
fn a_script_does_not_run_even_if_one_gets_in() {
    let Some(mut browser) = Browser::start() else { return };
    let hole = "<main><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    let page = html(&samples::valid()).expect("a page").replacen("<main>", hole, 1);
    assert!(page.contains("owned"));
    browser.open(&page, 1280);
    assert_eq!(browser.eval("document.scripts.length"), 1);
    assert!(browser.eval("document.title").as_str().is_some_and(|title| title.starts_with("VALID: prod-db")));
    // The browser of this test does run scripts where nothing forbids it.
    browser.open("<!doctype html><title>a</title><script>document.title='owned'</script>", 1280);
    assert_eq!(browser.eval("document.title"), Value::from("owned"));
}
