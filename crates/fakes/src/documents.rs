//! The metadata bucket in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::ports::Documents;
use holdfast_core::rds::Creation;
use holdfast_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::locked;
use crate::trouble::{Call, Troubles};

/// JSON documents by key.
#[derive(Debug, Default)]
pub struct FakeDocuments {
    /// What goes wrong.
    pub troubles: Troubles,
    documents: Mutex<BTreeMap<String, Value>>,
    pages: Mutex<BTreeMap<String, String>>,
}

impl FakeDocuments {
    /// The document that lies under `key` now.
    pub fn now(&self, key: &str) -> Option<Value> {
        locked(&self.documents).get(key).cloned()
    }

    /// The keys that begin with `prefix` now.
    pub fn keys_now(&self, prefix: &str) -> Vec<String> {
        locked(&self.documents).keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// The page that lies under `key` now.
    pub fn page(&self, key: &str) -> Option<String> {
        locked(&self.pages).get(key).cloned()
    }

    /// Everything, as one text: for what must not be in it.
    pub fn everything(&self) -> String {
        format!("{:?}{:?}", locked(&self.documents), locked(&self.pages))
    }

    /// Lays a document there.
    pub fn lay(&self, key: &str, document: Value) {
        locked(&self.documents).insert(key.to_owned(), document);
    }

    /// Takes a document or a page away.
    pub fn lose(&self, key: &str) {
        locked(&self.documents).remove(key);
        locked(&self.pages).remove(key);
    }
}

#[async_trait]
impl Documents for FakeDocuments {
    async fn create<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<Creation<()>> {
        let struck = self.troubles.strike(Call::PutDocument, key)?;
        let mut documents = locked(&self.documents);
        if documents.contains_key(key) {
            return struck.answer(Creation::AlreadyThere);
        }
        documents.insert(key.to_owned(), json!(document));
        struck.answer(Creation::Created(()))
    }

    async fn put<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<()> {
        let struck = self.troubles.strike(Call::PutDocument, key)?;
        self.lay(key, json!(document));
        struck.answer(())
    }

    async fn put_page(&self, key: &str, html: &str) -> Result<()> {
        let struck = self.troubles.strike(Call::PutDocument, key)?;
        locked(&self.pages).insert(key.to_owned(), html.to_owned());
        struck.answer(())
    }

    async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let found = self.troubles.strike(Call::GetDocument, key)?.answer(self.now(key))?;
        // As text: that is what it would be.
        found
            .map(|document| serde_json::from_str(&document.to_string()))
            .transpose()
            .map_err(|error| Error::new(ErrorKind::UnreadableRecord, format!("{key}: {error}")))
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let struck = self.troubles.strike(Call::ListDocuments, prefix)?;
        struck.answer(self.keys_now(prefix))
    }
}
