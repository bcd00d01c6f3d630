//! One client per Region, made when it is first asked for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use holdfast_core::ids::Region;

/// A service's clients.
#[derive(Debug)]
pub(crate) struct Clients<C>(Mutex<HashMap<Region, C>>);

impl<C> Default for Clients<C> {
    fn default() -> Self {
        Clients(Mutex::default())
    }
}

impl<C> FromIterator<(Region, C)> for Clients<C> {
    fn from_iter<I: IntoIterator<Item = (Region, C)>>(clients: I) -> Self {
        Clients(Mutex::new(clients.into_iter().collect()))
    }
}

impl<C: Clone> Clients<C> {
    /// The Region's client; `make` is given the Region as the SDK has it.
    pub(crate) fn of(&self, region: &Region, make: impl FnOnce(aws_config::Region) -> C) -> C {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = || aws_config::Region::new(region.as_str().to_owned());
        clients.entry(region.clone()).or_insert_with(|| make(name())).clone()
    }
}
