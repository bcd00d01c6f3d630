//! The decision itself, look by look.

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
    let cases = [
        (places(seen(New, Up), seen(Old, Up), None), Some(rename("own", "beside"))),
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
    let there = places(seen(Old, Up), None, seen(New, Up));
    assert!(matches!(there.backwards().unwrap(), Next::LookAgain(_)));
    assert_eq!(Places { steady: 2, ..there }.backwards().unwrap(), Next::Done);
}
