//! The review console: people at a desk over what was found.
//!
//! | module | is |
//! |---|---|
//! | `config` | the `[console]` table |
//! | `rights` | roles, rights, regions: who may do what |
//! | `desk` | what people need to know of the pool: names, calendar, clock |
//! | `casebook` | SQLite: people, sessions, cases, decisions, letters, the audit trail; `follow` keeps it up with the alerts' store |
//! | `oidc` | an OpenID provider that says who somebody is |
//! | `words` | every word of the pages, in both languages |
//! | `web` | the tables of routes, the gates before them, the pages, the API; templates are in `templates/`, what a browser loads in `static/` |
//!
//! Knows `domain`, `rules`, `catalogue`, `casework` and what can be read of `alerting`'s store, and is known by the program alone.
//! Nothing here may hold up detection: the alerts' store is opened to read only, and what people do is written to a file
//! of its own. No clock: whoever opens the console brings one.

pub mod casebook;
mod config;
mod desk;
mod oidc;
pub mod rights;
#[cfg(test)]
mod test_kit;
pub mod web;
pub mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alerting::http::{self, Limits};
use alerting::metrics::Metrics;
use casework::FactSource;
use tokio::net::TcpListener;
use tokio::sync::watch;

use casebook::{Casebook, CasebookError};
use web::App;

pub use config::ConsoleConfig;
pub use desk::Desk;
pub use oidc::{OidcConfig, Provider};

/// What a browser may take: an office's whole staff at once, and then as many that are slow.
const LIMITS: Limits = Limits {
    connections: 1_000,
    request_within: Duration::from_secs(30),
    head_bytes: 16 * 1024,
    life: Duration::from_secs(600),
};

/// The console of a program.
pub struct Console {
    app: App,
    casebook: Casebook,
    store: PathBuf,
    desk: Desk,
}

impl Console {
    /// Opens the casebook at `casebook`, over the alerts' store at `store`.
    ///
    /// # Errors
    /// The casebook cannot be opened.
    pub fn open(
        config: ConsoleConfig,
        casebook: &std::path::Path,
        store: PathBuf,
        desk: Desk,
    ) -> Result<Console, CasebookError> {
        let casebook = Casebook::open(casebook, config.four_eyes_from)?;
        let app = App::new(config, casebook.clone(), store.clone(), desk.clone());
        Ok(Console {
            app,
            casebook,
            store,
            desk,
        })
    }

    /// The same, with somebody who can be asked for the facts of subjects.
    #[must_use]
    pub fn with_facts(self, facts: Arc<dyn FactSource>) -> Console {
        Console {
            app: self.app.with_facts(facts),
            ..self
        }
    }

    /// The casebook.
    pub const fn casebook(&self) -> &Casebook {
        &self.casebook
    }

    /// The same, with a provider that people may log in by.
    #[must_use]
    pub fn with_provider(self, provider: Provider) -> Console {
        Console {
            app: self.app.with_provider(provider),
            ..self
        }
    }

    /// Serves the pages and follows the alerts' store, until told to stop. What the decisions say of the detectors is
    /// told to the metrics.
    pub async fn serve(
        self,
        listener: TcpListener,
        metrics: Arc<Metrics>,
        stopping: watch::Receiver<bool>,
    ) {
        let follow = casebook::follow::run(
            self.casebook,
            self.store,
            self.desk,
            metrics,
            stopping.clone(),
        );
        let router = web::router(&Arc::new(self.app));
        let serve = http::serve_within(LIMITS, listener, router, stopping);
        // Both end by the same word, and a panic of either ends both.
        tokio::join!(follow, serve);
    }
}
