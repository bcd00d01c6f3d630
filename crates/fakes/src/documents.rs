//! The metadata bucket in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ports::Documents;
use holdfast_core::rds::Creation;
use serde_json::Value;

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
    async fn create(&self, key: &str, document: &Value) -> Result<Creation<()>> {
        let struck = self.troubles.strike(Call::PutDocument, key)?;
        let mut documents = locked(&self.documents);
        if documents.contains_key(key) {
            return struck.answer(Creation::AlreadyThere);
        }
        documents.insert(key.to_owned(), document.clone());
        struck.answer(Creation::Created(()))
    }

    async fn put(&self, key: &str, document: &Value) -> Result<()> {
        let struck = self.troubles.strike(Call::PutDocument, key)?;
        self.lay(key, document.clone());
        struck.answer(())
    }

    async fn put_page(&self, key: &str, html: &str) -> Result<()> {
        let struck = self.troubles.strike(Call::PutDocument, key)?;
        locked(&self.pages).insert(key.to_owned(), html.to_owned());
        struck.answer(())
    }

    async fn get(&self, key: &str) -> Result<Option<Value>> {
        self.troubles.strike(Call::GetDocument, key)?.answer(self.now(key))
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let struck = self.troubles.strike(Call::ListDocuments, prefix)?;
        struck.answer(self.keys_now(prefix))
    }
}
