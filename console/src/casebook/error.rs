//! Why something about cases was not done.

use std::path::PathBuf;

/// What the casebook answers instead of doing something.
#[derive(Debug, thiserror::Error)]
pub enum CasebookError {
    /// There is no such thing, or none that the person may know of: the two are told apart by nobody.
    #[error("there is no such thing")]
    Missing,
    /// Somebody else was faster: the case is not as it was when the form was made.
    #[error("the case has changed since version {known}")]
    Stale {
        /// The alert of the case.
        alert: String,
        /// The version that the form was made from.
        known: i64,
    },
    /// What was asked cannot be done as things stand; the word names the sentence that says why.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// So much was asked for that it looks like a machine.
    #[error("too many")]
    TooMany,
    /// SQLite.
    #[error("the casebook: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A newer version wrote the file, or it is no casebook.
    #[error("the casebook has a schema that this version does not know: {0}")]
    Schema(String),
    /// The file or its folder.
    #[error("`{path}`: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The alerts' store.
    #[error(transparent)]
    Alerts(#[from] alerting::StoreError),
    /// The writer has ended.
    #[error("the casebook is closed")]
    Closed,
    /// Something that should be there is not as it should be.
    #[error("the casebook holds a value that it should not: {0}")]
    Value(String),
}

/// Why something cannot be done as things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The state of the case does not allow it.
    WrongState,
    /// Nobody approves what he proposed, or checks what he reported mended.
    FourEyes,
    /// A note is needed.
    NoteMissing,
    /// A reason is needed.
    ReasonMissing,
    /// The day is not in the future, or is none.
    BadDay,
    /// The day is later than a case may be put aside until.
    SnoozeTooLong,
    /// No such code, person, region or kind.
    BadChoice,
    /// Nothing was chosen.
    NothingChosen,
    /// Too many were chosen at once.
    TooManyChosen,
    /// The login is taken.
    LoginTaken,
    /// The password is too short or too long.
    PasswordLength,
    /// The password contains the person's login or name.
    PasswordNames,
    /// The password is a common one, or made of such.
    PasswordCommon,
    /// The second password is not the first.
    PasswordsDiffer,
    /// The present password is wrong.
    WrongPassword,
    /// The code of the second factor is wrong.
    WrongCode,
    /// The token is unknown, used, or too old.
    BadToken,
    /// The provider calls whoever has the token by another login than the account's.
    AnotherPerson,
    /// The identity at the provider is bound to another account.
    IdentityTaken,
    /// Nobody changes his own role.
    OwnRole,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<Refusal> for CasebookError {
    fn from(refusal: Refusal) -> CasebookError {
        CasebookError::Refused(refusal)
    }
}
