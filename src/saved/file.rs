//! A file that appears whole or not at all: written under a temporary name in the same folder, synced, and renamed.

use super::error::SaveError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// Removes the temporary file unless it has been renamed.
struct Temporary {
    path: PathBuf,
    is_renamed: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            // There is nobody to tell.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Replaces the file by what `write` writes.
pub(super) fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, SaveError>,
) -> Result<T, SaveError> {
    let failed = |action, at: &Path| {
        let path = Some(at.to_owned());
        move |source| SaveError::Io { action, path, source }
    };
    let Some(name) = path.file_name() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in the name of a file");
        return Err(failed("save to", path)(source));
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (file, mut temporary) = create(folder, name).map_err(failed("create a file in", folder))?;
    let mut buffered = BufWriter::with_capacity(1 << 18, file);
    let written = write(&mut buffered).map_err(|error| match error {
        SaveError::Io { action, path: None, source } => {
            SaveError::Io { action, path: Some(temporary.path.clone()), source }
        }
        other => other,
    })?;
    let file = buffered.into_inner().map_err(|error| failed("write", &temporary.path)(error.into_error()))?;
    file.sync_all().map_err(failed("sync", &temporary.path))?;
    drop(file);
    fs::rename(&temporary.path, path).map_err(failed("rename the complete file to", path))?;
    temporary.is_renamed = true;
    sync_folder(folder).map_err(failed("sync the folder of the complete file,", folder))?;
    Ok(written)
}

/// A new file with a name that no other process and no other save uses.
fn create(folder: &Path, name: &std::ffi::OsStr) -> io::Result<(File, Temporary)> {
    let mut attempt = 0;
    loop {
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{attempt}.tmp", std::process::id()));
        let path = folder.join(temporary);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, Temporary { path, is_renamed: false })),
            // Another save of this process, or the rest of a process that was killed and had the same number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 10_000 => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Makes the new name durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems can't open folders to sync them.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
