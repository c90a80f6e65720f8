//! Mail: the table of the configuration, the words, the letter, and the task that sends it.
//!
//! A mail is made when it is sent, from the telling that the store keeps for ever: the same telling
//! gives the same mail. What a mail says is for eyes that need not see a full resident ID number.

mod arithmetic;
pub mod config;
mod letter;
pub(crate) mod message_id;
mod office;
mod operators;
pub mod pace;
mod sender;
pub mod text;
mod transport;
mod trial;
pub(crate) mod view;
mod wording;
pub(crate) mod words;

pub use config::{MailConfig, MailConfigErrors, OperatorConfig};
pub use office::Office;
pub use operators::{Dispatch, News, Operators};
pub use pace::PaceConfig;
pub use sender::{Clock, Sender};
pub(crate) use view::who;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
