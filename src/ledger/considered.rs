//! The candidates of a decision, put into words when somebody asks: most records are only ever thrown away.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};

use super::Candidate;

/// Every target that was considered, allowed or not.
#[derive(Default)]
pub struct Considered {
    told: OnceLock<Vec<Candidate>>,
    tell: Option<Box<dyn Fn() -> Vec<Candidate> + Send + Sync>>,
}

impl Considered {
    /// `tell` must give the same each time, whatever has happened since.
    #[must_use]
    pub fn later(tell: impl Fn() -> Vec<Candidate> + Send + Sync + 'static) -> Self {
        Self { told: OnceLock::new(), tell: Some(Box::new(tell)) }
    }

    /// All of them, kept nowhere.
    #[must_use]
    pub fn tell(&self) -> Vec<Candidate> {
        self.tell.as_ref().map(|tell| tell()).unwrap_or_default()
    }
}

impl Deref for Considered {
    type Target = [Candidate];

    fn deref(&self) -> &[Candidate] {
        self.told.get_or_init(|| self.tell())
    }
}

impl fmt::Debug for Considered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Considered {
    /// Nothing is kept of it: a record that is written to a file is hardly ever asked for again.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.told.get() {
            Some(told) => told.serialize(serializer),
            None => self.tell().serialize(serializer),
        }
    }
}
