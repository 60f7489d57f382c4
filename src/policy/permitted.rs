//! The proof that policy was asked.

use std::ops::Deref;

/// A target that the rules let this request reach. Only [`Allowed::permit`](super::Allowed::permit) makes one, so a
/// place that takes `Permitted` cannot be reached past the policy.
#[derive(Clone, Debug)]
pub struct Permitted<T>(T);

impl<T> Permitted<T> {
    /// Only for `constrain`: visible no further than this module's parent.
    pub(super) const fn new(target: T) -> Self {
        Self(target)
    }

    /// What is permitted.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for Permitted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
