//! Holds the structure that ARCHITECTURE.md describes: which crate and which module may import which.

mod circles;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Modules of `src`, bottom first. A module imports from lower lines only.
const LEVELS: [&[&str]; 11] = [
    &["limits", "sync", "hash"],
    &["user_code", "latency", "memory"],
    &["clock", "error", "trace"],
    &["keys", "record", "reclaim", "testing"],
    &["rowset"],
    &["index"],
    &["storage"],
    &["read"],
    &["write", "feed"],
    &["store"],
    &["window", "saved", "fixtures"],
];

/// The crates of the workspace that each crate may depend on.
const CRATES: [(&str, &[&str]); 15] = [
    ("memdex-query", &[]),
    ("memdex-text", &[]),
    ("memdex-derive", &[]),
    ("memdex-sql", &["memdex-query"]),
    ("memdex", &["memdex-derive", "memdex-query"]),
    ("memdex-test", &["memdex"]),
    ("memdex-torture", &["memdex"]),
    ("memdex-tower-sessions", &["memdex"]),
    ("memdex-bench", &["memdex"]),
    ("memdex-examples", &["memdex"]),
    ("memdex-test-double", &["memdex"]),
    ("memdex-benches", &["memdex", "memdex-bench"]),
    ("memdex-backends", &[]),
    ("memdex-mutants", &[]),
    ("memdex-oracle", &[]),
];

/// Most packages in the tree of a crate with its default features, itself included.
const MOST_PACKAGES: [(&str, usize); 6] = [
    ("memdex-text", 10),
    ("memdex-query", 10),
    ("memdex", 45),
    ("memdex-test", 70),
    ("memdex-tower-sessions", 70),
    ("memdex-bench", 50),
];

/// Most packages that a feature of `memdex` adds to the default ones.
const MOST_OF_FEATURES: [(&str, usize); 3] = [("windows", 3), ("saved", 3), ("fixtures", 3)];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// The code of a file, without comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The top-level module that a file belongs to, and the modules that it names by `crate::`.
fn imports(source: &Path, file: &Path) -> Option<(String, Vec<String>)> {
    let top = file.strip_prefix(source).unwrap().components().next().unwrap();
    let module = Path::new(top.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned();
    if ["lib", "guide"].contains(&&*module) {
        return None;
    }
    let code = code(file);
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
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
fn modules_import_downward() {
    let source = root().join("src");
    let levels: BTreeMap<&str, usize> = LEVELS
        .iter()
        .enumerate()
        .flat_map(|(level, modules)| modules.iter().map(move |module| (*module, level)))
        .collect();
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
fn files_do_not_import_each_other_in_circles() {
    let crates = [
        "src",
        "crates/memdex-query/src",
        "crates/memdex-sql/src",
        "crates/memdex-derive/src",
        "crates/memdex-test/src",
        "crates/memdex-tower-sessions/src",
        "crates/memdex-bench/src",
    ];
    let circles: Vec<String> = crates
        .iter()
        .flat_map(|source| {
            circles::circles(&root().join(source)).into_iter().map(move |circle| format!("{source}: {circle:?}"))
        })
        .collect();
    assert!(circles.is_empty(), "move what both need into a file below:\n{}", circles.join("\n"));
}

#[test]
fn crates_depend_downward() {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let known: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let allowed = CRATES.iter().find(|(of, _)| *of == name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{name} has no line in CRATES: give it one"));
        let depends = package["dependencies"].as_array().unwrap().iter().filter(|on| on["kind"].is_null());
        for on in depends.map(|on| on["name"].as_str().unwrap()).filter(|on| known.contains(on)) {
            assert!(allowed.contains(&on), "{name} may not depend on {on}");
        }
    }
    assert_eq!(known.len(), CRATES.len());
}

#[test]
fn crates_bring_few_packages() {
    let packages = |name: &str, features: &str| -> BTreeSet<String> {
        let tree = cargo(&["tree", "--package", name, "--features", features, "--edges", "normal", "--prefix", "none"]);
        tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    for (name, most) in MOST_PACKAGES {
        let packages = packages(name, "");
        assert!(packages.len() <= most, "{name} brings {} packages, more than {most}:\n{packages:#?}", packages.len());
    }
    let by_default = packages("memdex", "");
    for (feature, most) in MOST_OF_FEATURES {
        let with_feature = packages("memdex", feature);
        let added: Vec<&String> = with_feature.difference(&by_default).collect();
        assert!(!added.is_empty() && added.len() <= most, "{feature} adds {added:#?}");
    }
}

/// The checkers replace the locks, atomics and threads that `src/sync.rs` names; others they do not see.
#[test]
fn locks_are_named_in_one_file() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    for file in files.iter().filter(|file| !file.to_string_lossy().contains("/src/sync") && !file.ends_with("tests.rs"))
    {
        let code = code(file);
        let code = code.split("\nmod tests").next().unwrap();
        for name in ["std::sync::", "parking_lot", "std::thread"] {
            assert!(!code.contains(name), "{} names {name}: take it from crate::sync", file.display());
        }
    }
}

/// A subscriber is user code, so only the file that catches its panics may call it.
#[test]
fn subscribers_are_called_in_one_file() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    for file in files.iter().filter(|file| !file.ends_with("src/trace.rs")) {
        assert!(!code(file).contains("tracing"), "{} names tracing: take it from crate::trace", file.display());
    }
}

#[test]
fn files_stay_short() {
    let mut files = Vec::new();
    for folder in [
        "src",
        "crates",
        "tests/it",
        "tests/backends",
        "tests/mutants",
        "tests/oracle",
        "benches",
        "examples",
        "fuzz/src",
    ] {
        rust_files(&root().join(folder), &mut files);
    }
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines: split it by idea", file.display());
    }
}

#[test]
fn paths_in_architecture_exist() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let named: Vec<&str> =
        text.split('`').skip(1).step_by(2).filter(|word| word.contains('/') && !word.contains(' ')).collect();
    assert!(named.len() > 10);
    for path in named {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}, which does not exist");
    }
}
