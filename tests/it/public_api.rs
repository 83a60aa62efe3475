//! Compares the public names of each library crate with a file, so that none is added or lost unseen.
//!
//! rustdoc writes the names as JSON. That output is unstable, so the test sets `RUSTC_BOOTSTRAP` for this one command; a newer
//! rustdoc with another format fails the test by name. `BLESS=1 cargo test --test it public_api` writes the files.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Most names at the root of `memdex`, its modules among them.
const MOST_AT_ROOT: usize = 45;

#[test]
fn public_names_are_those_of_the_files() {
    let mut differences = Vec::new();
    for package in
        ["memdex", "memdex-query", "memdex-text", "memdex-sql", "memdex-test", "memdex-tower-sessions", "memdex-bench"]
    {
        let names = names_of(package);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/api/{package}.txt"));
        if package == "memdex" {
            // A trait and its derive macro are one name.
            let paths = names.lines().filter_map(|line| line.split_once(' ')).map(|(_, path)| path);
            let at_root: BTreeSet<&str> = paths.filter(|path| path.matches("::").count() == 1).collect();
            assert!(
                at_root.len() <= MOST_AT_ROOT,
                "{} names at the root:\n{}",
                at_root.len(),
                at_root.iter().copied().collect::<Vec<_>>().join("\n")
            );
        }
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &names).unwrap();
            continue;
        }
        let known = fs::read_to_string(&file).unwrap_or_default();
        let (known, now): (BTreeSet<&str>, BTreeSet<&str>) = (known.lines().collect(), names.lines().collect());
        differences.extend(now.difference(&known).map(|line| format!("+ {line}")));
        differences.extend(known.difference(&now).map(|line| format!("- {line}")));
    }
    let differences = differences.join("\n");
    assert!(differences.is_empty(), "the public API has changed; if that is meant, run with BLESS=1:\n{differences}");
}

/// The public names of a crate, sorted, a line each: `struct memdex::Store`, `method memdex::Store::new`.
fn names_of(package: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join("target/api");
    let status = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--lib", "--all-features", "--package", package, "--target-dir"])
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format=json", "--cap-lints=allow"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTDOCFLAGS")
        .current_dir(root)
        .status();
    assert!(status.unwrap().success(), "rustdoc of {package} failed");
    let name = package.replace('-', "_");
    let json = fs::read_to_string(target.join("doc").join(format!("{name}.json"))).unwrap();
    let docs: Value = serde_json::from_str(&json).unwrap();
    let mut lines = BTreeSet::new();
    let mut lister = Lister { index: &docs["index"], lines: &mut lines };
    lister.list(&docs["root"], &name, true);
    assert!(lines.len() > 10, "rustdoc's JSON has another format: {lines:?}");
    lines.into_iter().collect::<Vec<_>>().join("\n") + "\n"
}

struct Lister<'a> {
    index: &'a Value,
    lines: &'a mut BTreeSet<String>,
}

impl Lister<'_> {
    fn item(&self, id: &Value) -> Option<&Value> {
        self.index.get(id.to_string().trim_matches('"'))
    }

    /// Adds the item and all that is public in it. Items of traits and variants need no `pub`.
    fn list(&mut self, id: &Value, path: &str, is_root: bool) {
        let Some(item) = self.item(id).cloned() else { return };
        let Some((kind, inner)) = item["inner"].as_object().and_then(|inner| inner.iter().next()) else { return };
        let is_public = item["visibility"] == "public" || item["visibility"] == "default";
        if !is_public || kind == "impl" {
            return;
        }
        let name = item["name"].as_str().or(inner["name"].as_str()).unwrap_or_default();
        let path = if is_root { path.to_owned() } else { format!("{path}::{name}") };
        if kind == "use" {
            self.list_use(inner, &path);
            return;
        }
        if !is_root {
            self.lines.insert(format!("{} {path}", word(kind)));
        }
        for list in
            [&inner["items"], &inner["variants"], &inner["kind"]["plain"]["fields"], &inner["kind"]["struct"]["fields"]]
        {
            list.as_array().into_iter().flatten().for_each(|id| self.list(id, &path, false));
        }
        for id in inner["impls"].as_array().into_iter().flatten() {
            let block = self.item(id).map(|item| item["inner"]["impl"].clone()).unwrap_or_default();
            if block["trait"].is_null() {
                block["items"].as_array().into_iter().flatten().for_each(|id| self.list(id, &path, false));
            }
        }
    }

    /// A re-export: of an item of this crate with all that is in it, of another crate's by its name only.
    fn list_use(&mut self, inner: &Value, path: &str) {
        match self.item(&inner["id"]).cloned() {
            Some(item) if item["name"] == inner["name"] => {
                let parent = path.rsplit_once("::").map_or(path, |(parent, _)| parent);
                self.list(&inner["id"], parent, false);
            }
            _ => {
                self.lines.insert(format!("use {path}"));
            }
        }
    }
}

fn word(kind: &str) -> &str {
    match kind {
        "function" => "fn",
        "struct_field" => "field",
        "assoc_const" | "constant" => "const",
        "assoc_type" | "type_alias" => "type",
        other => other,
    }
}
