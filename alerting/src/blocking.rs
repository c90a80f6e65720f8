//! A thing that blocks, used from async code: on the threads that are there for it.

use std::sync::{Arc, Mutex, PoisonError};

/// Lends a value to blocking threads, one call at a time.
pub struct Blocking<T>(Arc<Mutex<T>>);

impl<T: Send + 'static> Blocking<T> {
    pub fn new(value: T) -> Blocking<T> {
        Blocking(Arc::new(Mutex::new(value)))
    }

    /// Calls `work` with the value, away from the async threads.
    ///
    /// # Panics
    /// As `work` does.
    pub async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> R {
        let value = Arc::clone(&self.0);
        let task = tokio::task::spawn_blocking(move || {
            work(&mut value.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match task.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going down, and whoever waits here with it.
            Err(_) => std::future::pending().await,
        }
    }
}
