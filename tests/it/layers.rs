//! Holds the layering of ARCHITECTURE.md: imports go downward only, siblings never import each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Bottom first; modules of one line are siblings.
const LEVELS: [&[&str]; 10] = [
    &["limits", "sync", "hash"],
    &["user_code", "latency"],
    &["clock", "error"],
    &["keys", "record", "reclaim"],
    &["rowset"],
    &["index"],
    &["storage"],
    &["read"],
    &["write"],
    &["store"],
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

fn levels() -> BTreeMap<&'static str, usize> {
    LEVELS.iter().enumerate().flat_map(|(level, modules)| modules.iter().map(move |module| (*module, level))).collect()
}

/// The top-level module that a file belongs to, and the modules that it names by `crate::`.
fn imports(source: &Path, file: &Path) -> Option<(String, Vec<String>)> {
    let top = file.strip_prefix(source).unwrap().components().next().unwrap();
    let module = Path::new(top.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned();
    if module == "lib" {
        return None;
    }
    let text = fs::read_to_string(file).unwrap();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(['(', '$']) && code[..at].ends_with("pub(") {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let list = rest.strip_prefix('{').and_then(|list| list.split_once('}')).map(|(list, _)| list);
        let names = list.map_or(vec![rest], |list| list.split(',').collect());
        let first_word = |name: &str| {
            let name = name.trim_start();
            name[..name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len())].to_owned()
        };
        named.extend(names.into_iter().map(first_word).filter(|name| !name.is_empty()));
    }
    Some((module, named))
}

#[test]
fn imports_go_downward() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let levels = levels();
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut seen = 0;
    for file in files {
        let Some((module, named)) = imports(&source, &file) else { continue };
        let level = *levels
            .get(&*module)
            .unwrap_or_else(|| panic!("{module} has no level: give it one here and in ARCHITECTURE.md"));
        for import in named.iter().filter(|import| **import != module && levels.contains_key(&***import)) {
            seen += 1;
            assert!(levels[&**import] < level, "{} imports {import}, which is not below {module}", file.display());
        }
    }
    assert!(seen > 50, "the test reads the imports: {seen}");
}

#[test]
fn files_stay_short() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "crates", "tests/it", "tests/oracle", "benches", "examples"] {
        rust_files(&root.join(folder), &mut files);
    }
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines: split it by idea", file.display());
    }
}

#[test]
fn what_architecture_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let named: Vec<&str> =
        text.split('`').skip(1).step_by(2).filter(|word| word.contains('/') && !word.contains(' ')).collect();
    assert!(named.len() > 10);
    for path in named {
        assert!(root.join(path).exists(), "ARCHITECTURE.md names {path}, which is not there");
    }
}
