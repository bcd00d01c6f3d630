//! The decision itself, look by look.

use holdfast_core::ErrorKind;
use holdfast_core::rds::Life;
use swap_database::places::{Names, Next, Places, Seen, Who};

fn seen(who: Who, life: Life) -> Option<Seen> {
    Some(Seen { who, life, status: format!("{life:?}") })
}

fn places(own: Option<Seen>, aside: Option<Seen>, beside: Option<Seen>) -> Places {
    let names = Names { own: "own".into(), aside: "aside".into(), beside: "beside".into() };
    Places { names, had_old: true, own, aside, beside, unseen: 0, steady: 0 }
}

fn rename(from: &str, to: &str) -> Next {
    Next::Rename { from: from.into(), to: to.into() }
}

#[test]
fn there_is_one_step_from_each_place_forwards() {
    use Life::{Coming, Up};
    use Who::{New, Old};
    let cases = [
        (places(seen(Old, Up), None, seen(New, Up)), Some(rename("own", "aside"))),
        (places(seen(Old, Coming), None, seen(New, Up)), None),
        (places(seen(Old, Up), None, seen(New, Coming)), None),
        (places(None, seen(Old, Coming), seen(New, Up)), Some(rename("beside", "own"))),
        (places(None, None, seen(New, Up)), None),
        (places(None, seen(Old, Up), None), None),
        (places(seen(New, Coming), seen(Old, Up), None), None),
        (places(seen(New, Up), seen(Old, Up), None), Some(Next::Done)),
    ];
    for (places, expected) in cases {
        let next = places.forwards().unwrap();
        match expected {
            Some(expected) => assert_eq!(next, expected, "{places:?}"),
            None => assert!(matches!(next, Next::Wait(_)), "{places:?}: {next:?}"),
        }
    }
}

#[test]
fn there_is_one_step_from_each_place_backwards() {
    use Life::{Coming, Unusable, Up};
    use Who::{New, Old};
    let stopped = || Some(Seen { who: Old, life: Unusable, status: "stopped".into() });
    let start = || Some(Next::Start("aside".into()));
    let cases = [
        (places(seen(New, Up), seen(Old, Up), None), Some(rename("own", "beside"))),
        // The new one keeps the name, and answers, until the old one can have it.
        (places(seen(New, Up), None, None), None),
        (places(seen(New, Up), seen(Old, Coming), None), None),
        (places(seen(New, Up), stopped(), None), start()),
        (places(seen(New, Unusable), stopped(), None), start()),
        (places(None, stopped(), seen(New, Up)), start()),
        // And has it again when the old one turns out not to be able to.
        (places(None, seen(Old, Unusable), seen(New, Up)), Some(rename("beside", "own"))),
        (places(None, seen(Old, Unusable), seen(New, Coming)), None),
        (places(seen(New, Unusable), seen(Old, Up), None), Some(rename("own", "beside"))),
        (places(seen(New, Coming), seen(Old, Up), None), None),
        (places(None, seen(Old, Up), seen(New, Up)), Some(rename("aside", "own"))),
        (places(None, seen(Old, Coming), seen(New, Up)), None),
        (places(None, None, seen(New, Up)), None),
        (places(seen(Old, Coming), None, seen(New, Up)), None),
    ];
    for (places, expected) in cases {
        let next = places.backwards().unwrap();
        match expected {
            Some(expected) => assert_eq!(next, expected, "{places:?}"),
            None => assert!(matches!(next, Next::Wait(_)), "{places:?}: {next:?}"),
        }
    }
    let gone = Places { unseen: 12, ..places(None, None, seen(New, Up)) };
    assert_eq!(gone.backwards().unwrap(), rename("beside", "own"));
    let there = places(seen(Old, Up), None, seen(New, Up));
    assert!(matches!(there.backwards().unwrap(), Next::LookAgain(_)));
    assert_eq!(Places { steady: 2, ..there }.backwards().unwrap(), Next::Done);
}

#[test]
fn what_cannot_take_its_name_back_is_told_and_the_new_one_stays() {
    use Life::{Unusable, Up};
    use Who::{New, Old, Stranger};
    for (aside, unseen, why) in [
        (None, 12, "it is nowhere to be seen"),
        (seen(Old, Unusable), 0, "it is Unusable"),
        (seen(Stranger, Up), 1, "somebody else has the name aside"),
    ] {
        let places = Places { unseen, ..places(seen(New, Up), aside, None) };
        let error = places.backwards().unwrap_err();
        assert_eq!(error.kind, ErrorKind::SwapNotUndone);
        for said in [why, "look for it as aside", "what was restored keeps the name"] {
            assert!(error.message.contains(said), "{said}: {error}");
        }
    }
    // Nobody has the name, and nobody can have it.
    let places = places(None, seen(Old, Unusable), seen(New, Unusable));
    assert_eq!(places.backwards().unwrap_err().kind, ErrorKind::SwapNotUndone);
}
