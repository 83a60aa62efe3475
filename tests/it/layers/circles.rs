//! Finds files of a crate that import each other in a circle.
//!
//! Every path that begins with `crate`, `super` or `self`, or with a child module, is followed through re-exports to the file
//! that defines its item. Re-exports themselves, and code under `cfg(test)`, are no imports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

type ModulePath = Vec<String>;

/// One file, that is one module.
struct Module {
    file: PathBuf,
    /// The paths that it names, as written.
    named: Vec<ModulePath>,
    /// The names that it re-exports, each with the path that it stands for; `*` for globs.
    exports: Vec<(String, ModulePath)>,
}

/// The circles of files below `source`, each as the files in it.
pub(crate) fn circles(source: &Path) -> Vec<Vec<PathBuf>> {
    let mut modules = BTreeMap::new();
    read_folder(source, source, &mut modules);
    let edges: BTreeMap<&ModulePath, BTreeSet<ModulePath>> =
        modules.keys().map(|at| (at, imports(&modules, at))).collect();
    assert!(edges.values().map(BTreeSet::len).sum::<usize>() > modules.len(), "the imports were read");
    let reached: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> =
        edges.keys().map(|at| (*at, reach(&edges, at))).collect();
    let mut found: Vec<Vec<PathBuf>> = Vec::new();
    let mut seen: BTreeSet<&ModulePath> = BTreeSet::new();
    for (at, all) in &reached {
        if all.contains(at) && seen.insert(at) {
            let others = all.iter().filter(|other| reached[**other].contains(at));
            let circle: Vec<&ModulePath> = others.copied().collect();
            seen.extend(&circle);
            found.push(circle.iter().map(|path| modules[*path].file.clone()).collect());
        }
    }
    found
}

fn read_folder(source: &Path, folder: &Path, modules: &mut BTreeMap<ModulePath, Module>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            read_folder(source, &path, modules);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let inside = path.strip_prefix(source).unwrap().with_extension("");
            let mut at: ModulePath = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if at.last().is_some_and(|last| last == "mod" || last == "lib") {
                at.pop();
            }
            if at.iter().any(|part| part == "tests" || part == "schedules") || is_only_for_tests(&path) {
                continue;
            }
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            let mut reader = Reader::default();
            reader.visit_file(&file);
            modules.insert(at, Module { file: inside, named: reader.named, exports: reader.exports });
        }
    }
}

/// Whether the file that declares this module says `#[cfg(test)]`.
fn is_only_for_tests(path: &Path) -> bool {
    let folder = path.parent().unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    let declaring = [folder.join("mod.rs"), folder.join("lib.rs"), folder.with_extension("rs")];
    let declares = |text: &str| {
        let file = syn::parse_file(text).unwrap();
        file.items
            .iter()
            .any(|item| matches!(item, Item::Mod(module) if module.ident == name && is_test(&module.attrs)))
    };
    declaring
        .iter()
        .filter(|file| *file != path)
        .filter_map(|file| fs::read_to_string(file).ok())
        .any(|text| declares(&text))
}

fn is_test(attributes: &[Attribute]) -> bool {
    let tokens =
        |attribute: &Attribute| attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && tokens(attribute).split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
    })
}

#[derive(Default)]
struct Reader {
    named: Vec<ModulePath>,
    exports: Vec<(String, ModulePath)>,
}

impl Reader {
    fn tree(&mut self, tree: &UseTree, before: &ModulePath, exported: bool) {
        let joined = |name: &str| before.iter().cloned().chain([name.to_owned()]).collect::<ModulePath>();
        let mut end = |path: ModulePath, name: String| {
            if exported {
                self.exports.push((name, path));
            } else {
                self.named.push(path);
            }
        };
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &joined(&path.ident.to_string()), exported),
            UseTree::Name(name) if name.ident == "self" => {
                end(before.clone(), before.last().cloned().unwrap_or_default())
            }
            UseTree::Name(name) => end(joined(&name.ident.to_string()), name.ident.to_string()),
            UseTree::Rename(name) => end(joined(&name.ident.to_string()), name.rename.to_string()),
            UseTree::Glob(_) => end(before.clone(), "*".to_owned()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before, exported)),
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Use(import) if is_test(&import.attrs) => {}
            Item::Use(import) => {
                self.tree(&import.tree, &Vec::new(), !matches!(import.vis, syn::Visibility::Inherited));
            }
            Item::Mod(module) if is_test(&module.attrs) => {}
            Item::Fn(function) if is_test(&function.attrs) => {}
            Item::Impl(block) if is_test(&block.attrs) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.named.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

/// The modules that define what a module names.
fn imports(modules: &BTreeMap<ModulePath, Module>, at: &ModulePath) -> BTreeSet<ModulePath> {
    let targets = modules[at].named.iter().filter_map(|path| resolve(modules, at, path, 0));
    targets.filter(|target| target != at).collect()
}

/// The module that defines the item at a path, as it is written in the module `at`.
fn resolve(
    modules: &BTreeMap<ModulePath, Module>,
    at: &ModulePath,
    path: &[String],
    depth: usize,
) -> Option<ModulePath> {
    let mut base = at.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &path[1..];
        }
        "self" => rest = &path[1..],
        "super" => {}
        first => {
            let child: ModulePath = at.iter().cloned().chain([first.to_owned()]).collect();
            if path.len() < 2 || !modules.contains_key(&child) {
                return None;
            }
        }
    }
    while rest.first().is_some_and(|part| part == "super") {
        base.pop()?;
        rest = &rest[1..];
    }
    while let Some((part, after)) = rest.split_first() {
        let child: ModulePath = base.iter().cloned().chain([part.clone()]).collect();
        if !modules.contains_key(&child) {
            let exports = &modules.get(&base)?.exports;
            let exported = exports.iter().find(|(name, _)| name == part).filter(|_| depth < 8);
            return match exported {
                Some((_, to)) => {
                    let to: ModulePath = to.iter().chain(after).cloned().collect();
                    resolve(modules, &base, &to, depth + 1)
                }
                None => Some(base),
            };
        }
        base = child;
        rest = after;
    }
    Some(base)
}

/// All modules that are reached from one by one import or more.
fn reach<'a>(edges: &'a BTreeMap<&ModulePath, BTreeSet<ModulePath>>, from: &ModulePath) -> BTreeSet<&'a ModulePath> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<&ModulePath> = edges[from].iter().collect();
    while let Some(next) = left.pop() {
        if reached.insert(next) {
            left.extend(&edges[next]);
        }
    }
    reached
}
