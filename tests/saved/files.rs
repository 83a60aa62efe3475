//! Files and writers: atomic replacement, and errors of the system.

use crate::world::{User, archive, clock, content, saved, small_file, store};
use memdex::typing::saved::{LoadError, SaveError};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder of a test, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("memdex-saved-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_save_replaces_the_file_as_a_whole() {
    let (folder, clock) = (Folder::new(), clock());
    let (archive, path) = (archive(&clock), folder.path("store.memdex"));
    for records in [50, 3] {
        let store = store(&clock, records);
        archive.save(&store.snapshot(), &path).unwrap();
        assert_eq!(content(&archive.load(&path).unwrap()), content(&store));
        assert_eq!(folder.names(), ["store.memdex"]);
    }
    // Two saves at once: one of them wins.
    let stores = [store(&clock, 20), store(&clock, 30)];
    std::thread::scope(|scope| {
        stores.iter().for_each(|store| drop(scope.spawn(|| archive.save(&store.snapshot(), &path).unwrap())));
    });
    let loaded = content(&archive.load(&path).unwrap());
    assert!(stores.iter().any(|store| content(store) == loaded));
    assert_eq!(folder.names(), ["store.memdex"]);
}

/// Fails after so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = bytes.len().min(self.0);
        self.0 -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_reported_wherever_it_happens() {
    let clock = clock();
    let (store, archive) = (store(&clock, 4), archive(&clock));
    let length = saved(&archive, &store).len();
    for room in 0..length {
        let error = archive.save_to(&store.snapshot(), Full(room)).unwrap_err();
        let SaveError::Io { source, path: None, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    }
    archive.save_to(&store.snapshot(), Full(length)).unwrap();
    #[cfg(target_os = "linux")]
    {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = archive.save_to(&store.snapshot(), full).unwrap_err();
        assert!(
            matches!(&error, SaveError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull),
            "{error}"
        );
    }
}

/// A child process whose files can't grow beyond eight kilobytes runs the test below.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_grow_leaves_the_old_one() {
    let folder = Folder::new();
    let shell = "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact files::child_that_cannot_write --ignored";
    let output = std::process::Command::new("sh")
        .args(["-c", shell])
        .arg(std::env::current_exe().unwrap())
        .env("MEMDEX_SAVED_FOLDER", &folder.0)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by another test"]
fn child_that_cannot_write() {
    let Some(folder) = std::env::var_os("MEMDEX_SAVED_FOLDER") else { return };
    let path = Path::new(&folder).join("store.memdex");
    let clock = clock();
    let archive = archive(&clock);
    let small = store(&clock, 4);
    archive.save(&small.snapshot(), &path).unwrap();
    let error = archive.save(&store(&clock, 1_000).snapshot(), &path).unwrap_err();
    let SaveError::Io { path: Some(at), source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), io::ErrorKind::FileTooLarge, "{error}");
    assert!(at.to_string_lossy().contains(".store.memdex."), "{error}");
    assert_eq!(content(&archive.load(&path).unwrap()), content(&small));
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn folders_that_take_no_file_are_reported() {
    let (folder, clock) = (Folder::new(), clock());
    let (store, archive) = (store(&clock, 1), archive(&clock));
    fs::write(folder.path("file"), "text").unwrap();
    fs::create_dir(folder.path("taken")).unwrap();
    let mut refusing = vec![
        folder.path("missing/store"),
        folder.path("file/store"),
        folder.path("taken"),
        PathBuf::from("/"),
        PathBuf::new(),
    ];
    if cfg!(target_os = "linux") {
        // A folder in which not even root creates files.
        refusing.push(PathBuf::from("/proc/store.memdex"));
    }
    for path in refusing {
        let error = archive.save(&store.snapshot(), &path).unwrap_err();
        assert!(matches!(error, SaveError::Io { path: Some(_), .. }), "{}: {error}", path.display());
    }
    let mut names = folder.names();
    names.sort();
    assert_eq!(names, ["file", "taken"]);
    for path in [folder.path("missing"), folder.path("taken")] {
        let error = archive.load(&path).unwrap_err();
        let LoadError::Io { path: Some(at), .. } = &error else { panic!("{error}") };
        assert_eq!(*at, path);
        assert!(error.to_string().contains(&*path.to_string_lossy()));
    }
}

/// Returns few bytes at once, is interrupted, and fails at the end.
struct Slow<'a>(&'a [u8], usize, bool);

impl Read for Slow<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.0.is_empty() && self.2 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let most = to.len().min(7);
        self.0.read(&mut to[..most])
    }
}

#[test]
fn readers_may_be_slow_and_may_fail() {
    let file = small_file();
    let archive = archive(&clock());
    assert_eq!(
        content(&archive.load_from(Slow(&file, 0, false)).unwrap()),
        content(&archive.load_from(&file[..]).unwrap())
    );
    for length in (0..=file.len()).step_by(11) {
        let error = archive.load_from(Slow(&file[..length], 0, true)).unwrap_err();
        assert!(
            matches!(&error, LoadError::Io { source, .. } if source.kind() == io::ErrorKind::ConnectionReset),
            "{error}"
        );
    }
}

#[test]
fn a_store_can_be_saved_from_inside_user_code_but_not_loaded() {
    let clock = clock();
    let (store, archive) = (store(&clock, 4), archive(&clock));
    let users = store.collection::<User>("User").unwrap();
    let file = users.get_with(2, |_| saved(&archive, &store)).unwrap();
    assert_eq!(content(&archive.load_from(&file[..]).unwrap()), content(&store));
    let error = users.get_with(2, |_| archive.load_from(&file[..]).unwrap_err()).unwrap();
    assert!(matches!(error, LoadError::Index { .. } | LoadError::Refused { .. }), "{error}");
}
