//! Feed files, read from the beginning for one subject.

use std::path::PathBuf;
use std::sync::Arc;

use casework::{FactSource, Locate, Place, Record, SubjectFacts, Unanswered};
use detectors::store::packed::{key, pack};
use domain::{EvidenceId, Subject};
use ingest::Regions;
use ingest::files::{FeedFiles, FileReader, Position};
use rules::Policy;

use super::{Found, Wanted, unreadable};

/// The feed files of a folder.
pub struct InFiles {
    folder: PathBuf,
    policy: Arc<Policy>,
}

impl InFiles {
    /// The feeds in a folder, of a policy's pool.
    pub fn new(folder: PathBuf, policy: Arc<Policy>) -> InFiles {
        InFiles { folder, policy }
    }

    fn files(&self) -> Result<Arc<FeedFiles>, Unanswered> {
        FeedFiles::find(&self.folder)
            .map(Arc::new)
            .map_err(unreadable)
    }

    fn look_for(&self, wanted: &Wanted<'_>) -> Result<(Found, Locate), Unanswered> {
        let files = self.files()?;
        let regions = self.policy.pool.regions.iter().map(|region| region.code);
        let mut reader = FileReader::new(Arc::clone(&files), Regions::new(regions));
        let mut found = Found::default();
        let mut one = Vec::new();
        let mut goes_on = true;
        while goes_on {
            let advanced = reader.advance(|fact, position| {
                if let Some(key) = key(&fact) {
                    one.clear();
                    pack(key, &fact, position.0, &mut one);
                    wanted.take(&one, &mut found);
                }
            });
            goes_on = advanced.map_err(unreadable)?;
            // What was not accepted is told of elsewhere.
            reader.rejected.clear();
        }
        let locate: Locate = Arc::new(move |_, position| line(&files, position));
        Ok((found, locate))
    }
}

/// `FILE:LINE` as a place.
fn line(files: &FeedFiles, position: u64) -> Place {
    let text = files.locate(Position(position));
    let (file, line) = text.rsplit_once(':').unwrap_or((&text, ""));
    Place::Line {
        file: file.to_owned(),
        line: line.parse().unwrap_or_default(),
        position,
    }
}

impl FactSource for InFiles {
    fn facts(&self, subject: &Subject) -> Result<SubjectFacts, Unanswered> {
        let (found, locate) = self.look_for(&Wanted::Of(subject))?;
        Ok(SubjectFacts::new(subject.clone(), &found.packed, locate))
    }

    fn records(&self, wanted: &[EvidenceId]) -> Result<Vec<Record>, Unanswered> {
        let (found, locate) = self.look_for(&Wanted::Named(wanted.iter().collect()))?;
        Ok(found.records(&locate))
    }

    fn raw(&self, place: &Place) -> Result<Option<Vec<u8>>, Unanswered> {
        let Place::Line { position, .. } = place else {
            return Ok(None);
        };
        let records = self.files()?.read_again(&[Position(*position)]);
        Ok(records.map_err(unreadable)?.into_iter().next())
    }
}
