//! Where the facts of one subject come from: the books of the running program, its state on disk, feed files.

mod disk;
mod files;
mod running;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use casework::{FactSource, Locate, Place, Record, SubjectFacts, Unanswered};
use detectors::dataflow::desk::{NoAnswer, book_of};
use detectors::store::packed::{Envelopes, pieces};
use domain::{EvidenceId, Subject};

pub use disk::OnDisk;
pub use files::InFiles;
pub use running::Running;

/// The running books, and once they are closed the files that they were filled from.
pub struct UntilClosed {
    /// The books.
    pub books: Running,
    /// The files.
    pub files: InFiles,
}

impl UntilClosed {
    fn ask<T>(
        &self,
        of: impl Fn(&dyn FactSource) -> Result<T, Unanswered>,
    ) -> Result<T, Unanswered> {
        match of(&self.books) {
            Err(Unanswered::Books(NoAnswer::Closed)) => of(&self.files),
            answer => answer,
        }
    }
}

impl FactSource for UntilClosed {
    fn facts(&self, subject: &Subject) -> Result<SubjectFacts, Unanswered> {
        self.ask(|source| source.facts(subject))
    }

    fn records(&self, wanted: &[EvidenceId]) -> Result<Vec<Record>, Unanswered> {
        self.ask(|source| source.records(wanted))
    }

    /// Whoever gave the place knows what stands there.
    fn raw(&self, place: &Place) -> Result<Option<Vec<u8>>, Unanswered> {
        match place {
            Place::Line { .. } => self.files.raw(place),
            Place::Byte { .. } | Place::Partition { .. } => self.books.raw(place),
        }
    }
}

/// What is looked for among all facts.
enum Wanted<'a> {
    /// What there is of a subject.
    Of(&'a Subject),
    /// Records by topic and id.
    Named(BTreeSet<&'a EvidenceId>),
}

/// What was found.
#[derive(Default)]
struct Found {
    /// Of a subject: packed facts.
    packed: Vec<u8>,
}

impl Wanted<'_> {
    /// Takes what is wanted of packed facts in their envelopes.
    fn take(&self, facts: &[u8], found: &mut Found) {
        let book = match self {
            Wanted::Of(subject) => book_of(subject),
            Wanted::Named(_) => None,
        };
        for (key, piece) in pieces(facts) {
            let is_wanted = match self {
                Wanted::Of(_) => {
                    book.is_some_and(|(_, of)| of == key)
                        && Envelopes::new(piece).any(|envelope| {
                            Some(envelope.packed.kind().shelf()) == book.map(|(shelf, _)| shelf)
                        })
                }
                Wanted::Named(ids) => Envelopes::new(piece).any(|envelope| {
                    ids.iter().any(|wanted| {
                        wanted.id.as_bytes() == envelope.packed.id_bytes()
                            && wanted.topic == envelope.packed.kind().topic()
                    })
                }),
            };
            if is_wanted {
                found.packed.extend_from_slice(piece);
            }
        }
    }
}

impl Found {
    /// The facts as single records: of what a source sent twice, the first.
    fn records(&self, locate: &Locate) -> Vec<Record> {
        let mut first = Vec::new();
        for envelope in Envelopes::new(&self.packed) {
            first.push((envelope.packed.position(), envelope));
        }
        first.sort_by_key(|(position, envelope)| (envelope.packed.kind(), *position));
        let mut known = BTreeSet::new();
        first
            .into_iter()
            .filter(|(_, envelope)| {
                known.insert((envelope.key, envelope.packed.kind(), envelope.packed.id()))
            })
            .map(|(_, envelope)| Record::of(envelope.packed, envelope.item, locate))
            .collect()
    }
}

fn unreadable(error: impl std::fmt::Display) -> Unanswered {
    Unanswered::Unreadable(error.to_string())
}
