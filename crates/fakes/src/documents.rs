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
}

impl FakeDocuments {
    /// The document that lies under `key` now.
    pub fn now(&self, key: &str) -> Option<Value> {
        locked(&self.documents).get(key).cloned()
    }

    /// Everything, as one text: for what must not be in it.
    pub fn everything(&self) -> String {
        format!("{:?}", locked(&self.documents))
    }

    /// Lays a document there.
    pub fn lay(&self, key: &str, document: Value) {
        locked(&self.documents).insert(key.to_owned(), document);
    }

    /// Takes a document away.
    pub fn lose(&self, key: &str) {
        locked(&self.documents).remove(key);
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

    async fn get(&self, key: &str) -> Result<Option<Value>> {
        self.troubles.strike(Call::GetDocument, key)?.answer(self.now(key))
    }
}
