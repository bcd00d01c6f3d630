//! Which port belongs to which identifier. All instances share one address: here the port stands for the host name
//! that belongs to an identifier on RDS.

use std::collections::BTreeSet;

use holdfast_local_postgres::free_port;

/// How far above the first port new ones are taken before those of identifiers without an instance are given
/// away: what lies further up may belong to somebody else.
const NEAR: u16 = 64;

/// The ports that were given, by owner, in the order of their giving.
#[derive(Default)]
pub(crate) struct Ports(Vec<(String, u16)>);

impl Ports {
    /// The owner's own port when it can be had, else one that nobody owns, else the one that was given first.
    /// `base` is the first port, 0 for any.
    pub(crate) fn choose(&mut self, owner: &str, base: u16, can_be_had: impl Fn(u16) -> bool) -> Option<u16> {
        let given: BTreeSet<u16> = self.0.iter().map(|(_, port)| *port).collect();
        let fresh = |port: &u16| !given.contains(port) && can_be_had(*port);
        let own = self.0.iter().find(|(name, _)| name == owner).map(|(_, port)| *port);
        let any = || (0..100).filter_map(|_| free_port().ok()).find(fresh);
        let near = || (base..base.saturating_add(NEAR)).find(fresh);
        let chosen = own
            .filter(|port| can_be_had(*port))
            .or_else(|| if base == 0 { any() } else { near() })
            .or_else(|| self.0.iter().map(|(_, port)| *port).find(|port| can_be_had(*port)))
            .or_else(|| (base.max(1024)..=u16::MAX).find(fresh))?;
        self.0.retain(|(name, port)| name != owner && *port != chosen);
        self.0.push((owner.to_owned(), chosen));
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_gets_its_port_again_when_it_is_free() {
        let mut ports = Ports::default();
        let all = |_: u16| true;
        assert_eq!(ports.choose("a", 4600, all), Some(4600));
        assert_eq!(ports.choose("b", 4600, all), Some(4601), "what a had is not given to another");
        assert_eq!(ports.choose("a", 4600, all), Some(4600));
        assert_eq!(ports.choose("a", 4600, |port| port != 4600), Some(4602), "somebody else listens on it");
        assert_eq!(ports.choose("a", 4600, all), Some(4602), "and from then on this is its own");
    }

    #[test]
    fn the_oldest_is_given_away_before_the_block_is_left() {
        let mut ports = Ports::default();
        for number in 0..NEAR {
            assert_eq!(ports.choose(&number.to_string(), 4600, |_| true), Some(4600 + number));
        }
        let held = |port: u16| port != 4600;
        assert_eq!(ports.choose("more", 4600, held), Some(4601));
        assert_eq!(ports.choose("1", 4600, held), Some(4602), "its port is gone");
        assert_eq!(ports.choose("last", 4600, |port| port >= 4600 + NEAR), Some(4600 + NEAR));
    }
}
