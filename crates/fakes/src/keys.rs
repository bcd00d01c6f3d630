//! KMS in memory: keys by Region and id, and passwords that a test can look for.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::health::Key;
use holdfast_core::ids::Region;
use holdfast_core::ports::Keys;
use holdfast_core::{Error, ErrorKind, Result};
use secrecy::SecretString;

use crate::locked;
use crate::trouble::{Call, Troubles};

#[derive(Debug)]
struct Held {
    key: Key,
    permitted: bool,
}

/// Keys of every Region.
#[derive(Debug, Default)]
pub struct FakeKeys {
    /// What goes wrong.
    pub troubles: Troubles,
    keys: Mutex<BTreeMap<(Region, String), Held>>,
}

impl FakeKeys {
    /// An enabled key that may be used, known in `region` by `id` (an alias, say).
    pub fn add(&self, region: &Region, id: &str) {
        let key = Key {
            arn: Self::arn(region),
            state: "Enabled".into(),
            usage: "ENCRYPT_DECRYPT".into(),
            spec: "SYMMETRIC_DEFAULT".into(),
        };
        locked(&self.keys).insert((region.clone(), id.to_owned()), Held { key, permitted: true });
    }

    /// The ARN of the key that [`FakeKeys::add`] makes in `region`.
    pub fn arn(region: &Region) -> String {
        format!("arn:aws:kms:{region}:000000000000:key/k")
    }

    /// Puts the keys of `region` into another state, `Disabled` say.
    pub fn set_state(&self, region: &Region, state: &str) {
        self.of(region, |held| held.key.state = state.to_owned());
    }

    /// Takes the permission to use the keys of `region` away.
    pub fn deny(&self, region: &Region) {
        self.of(region, |held| held.permitted = false);
    }

    /// The password derived for `context`.
    pub fn password(context: &str) -> String {
        format!("s3cret-{}", context.chars().rev().collect::<String>())
    }

    fn of(&self, region: &Region, change: impl Fn(&mut Held)) {
        locked(&self.keys)
            .iter_mut()
            .filter(|((place, _), _)| place == region)
            .for_each(|(_, held)| change(held));
    }
}

#[async_trait]
impl Keys for FakeKeys {
    async fn key(&self, region: &Region, id: &str) -> Result<Option<Key>> {
        let found = locked(&self.keys).get(&(region.clone(), id.to_owned())).map(|held| held.key.clone());
        self.troubles.strike(Call::Key, region.as_str())?.answer(found)
    }

    async fn require_permission(&self, region: &Region, key: &Key) -> Result<()> {
        let struck = self.troubles.strike(Call::RequirePermission, region.as_str())?;
        let permitted = locked(&self.keys)
            .iter()
            .any(|((place, _), held)| place == region && held.key.arn == key.arn && held.permitted);
        if !permitted {
            return Err(Error::new(ErrorKind::KeyUnusable, format!("key {} cannot be used", key.arn)));
        }
        struck.answer(())
    }

    async fn derive_password(&self, context: &str) -> Result<SecretString> {
        self.troubles
            .strike(Call::DerivePassword, context)?
            .answer(SecretString::from(Self::password(context)))
    }
}
