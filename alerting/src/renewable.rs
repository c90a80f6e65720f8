//! Something that a task goes by, and that may be another while it runs: what SIGHUP brings.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that all who hold it see renewed.
#[derive(Debug)]
pub struct Renewable<T>(Arc<RwLock<Arc<T>>>);

impl<T> Clone for Renewable<T> {
    fn clone(&self) -> Renewable<T> {
        Renewable(Arc::clone(&self.0))
    }
}

impl<T> Renewable<T> {
    /// The value to begin with.
    pub fn new(value: T) -> Renewable<T> {
        Renewable(Arc::new(RwLock::new(Arc::new(value))))
    }

    /// The value as it is now: one piece of work goes by one value to its end.
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on it is another.
    pub fn renew(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}
