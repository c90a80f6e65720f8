//! Feeds as files: `<topic>.jsonl` of each topic, and `truth.jsonl`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use domain::Topic;

use crate::record::Line;
use crate::truth::Truth;

/// Large enough that ten million short lines are few system calls.
const BUFFER: usize = 1 << 18;

/// The five feed files of a directory.
#[derive(Debug)]
pub struct FeedFiles {
    directory: PathBuf,
    files: Vec<BufWriter<File>>,
    /// Whether the files bear their names only at the end.
    is_whole: bool,
}

impl FeedFiles {
    /// Files that appear under their names, complete, when [`FeedFiles::finish`] is called, and not
    /// before. The directory is made if it is not there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(directory: &Path) -> io::Result<FeedFiles> {
        FeedFiles::open(directory, true)
    }

    /// Files that grow under the eyes of a reader: emptied now, and complete lines after each
    /// [`FeedFiles::flush`]; call it at the end of a day.
    ///
    /// # Errors
    /// What the file system says.
    pub fn grow(directory: &Path) -> io::Result<FeedFiles> {
        FeedFiles::open(directory, false)
    }

    fn open(directory: &Path, is_whole: bool) -> io::Result<FeedFiles> {
        fs::create_dir_all(directory)?;
        let files = Topic::ALL
            .into_iter()
            .map(|topic| {
                let path = if is_whole {
                    partial(directory, topic)
                } else {
                    whole(directory, topic)
                };
                let file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(path)?;
                Ok(BufWriter::with_capacity(BUFFER, file))
            })
            .collect::<io::Result<_>>()?;
        Ok(FeedFiles {
            directory: directory.to_owned(),
            files,
            is_whole,
        })
    }

    /// Appends a line to its topic's file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&mut self, line: Line<'_>) -> io::Result<()> {
        let file = &mut self.files[line.topic.index()];
        file.write_all(line.json)?;
        file.write_all(b"\n")
    }

    /// Hands what is buffered to the operating system.
    ///
    /// # Errors
    /// What the file system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.files.iter_mut().try_for_each(Write::flush)
    }

    /// Writes `truth.jsonl`, syncs all files to disk, and gives them their names.
    ///
    /// # Errors
    /// What the file system says; files that were to appear whole do not appear then.
    pub fn finish(mut self, truth: &Truth) -> io::Result<()> {
        self.flush()?;
        for file in &self.files {
            file.get_ref().sync_all()?;
        }
        let partial_truth = self.directory.join(".truth.jsonl.partial");
        let mut out = BufWriter::new(File::create(&partial_truth)?);
        truth.write(&mut out)?;
        out.into_inner()?.sync_all()?;
        if self.is_whole {
            for topic in Topic::ALL {
                fs::rename(
                    partial(&self.directory, topic),
                    whole(&self.directory, topic),
                )?;
            }
        }
        fs::rename(partial_truth, self.directory.join("truth.jsonl"))
    }
}

fn whole(directory: &Path, topic: Topic) -> PathBuf {
    directory.join(format!("{topic}.jsonl"))
}

/// A name that no reader of feeds takes for a feed.
fn partial(directory: &Path, topic: Topic) -> PathBuf {
    directory.join(format!(".{topic}.jsonl.partial"))
}
