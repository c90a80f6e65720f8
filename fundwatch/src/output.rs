//! Output files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Files written under other names, which get their own all together at the end.
#[derive(Debug)]
pub struct Outputs {
    folder: PathBuf,
    written: Vec<String>,
}

impl Outputs {
    /// Files in `folder`, which is made if it is not there.
    pub fn in_folder(folder: &Path) -> Result<Outputs> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        Ok(Outputs {
            folder: folder.to_owned(),
            written: Vec::new(),
        })
    }

    /// Writes a file under a name of its own for now.
    pub fn write(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<()> {
        let path = self.folder.join(unfinished(name));
        self.written.push(name.to_owned());
        let written = File::create(&path).and_then(|file| {
            let mut writer = BufWriter::with_capacity(1 << 20, file);
            write(&mut writer)?;
            writer.flush()?;
            writer.get_ref().sync_all()
        });
        written.with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// Gives all files their names.
    pub fn finish(mut self) -> Result<()> {
        for name in std::mem::take(&mut self.written) {
            let path = self.folder.join(&name);
            fs::rename(self.folder.join(unfinished(&name)), &path)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }
}

/// What is not finished is taken away.
impl Drop for Outputs {
    fn drop(&mut self) {
        for name in &self.written {
            // Nothing more can be done about a file that cannot be removed; its name says what it is.
            let _ = fs::remove_file(self.folder.join(unfinished(name)));
        }
    }
}

fn unfinished(name: &str) -> String {
    if faults::planted!("output-in-place") {
        return name.to_owned();
    }
    format!(".{name}.unfinished")
}
