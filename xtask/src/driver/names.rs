//! `cargo xtask driver names`: which names of wdk-sys the driver uses, and where each is known from.
//!
//! Off Windows the driver is compiled against a double, which was written by hand: a name that both mis-spell compiles. So the names are
//! listed, and those that `windows-sys` has are marked: it is generated from Microsoft's metadata, and its source is in cargo's registry.
//! It has the kernel's functions, structures and constants, and nothing of the framework (KMDF), whose names are marked as unchecked.

use crate::process::{output, say};
use crate::workspace::{Workspace, cargo};
use anyhow::{Context, Result, bail, ensure};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ItemMod, ItemUse, Macro, UseTree};

/// The list, below the workspace's root.
const FILE: &str = "host-driver/kmdf/wdk-names.txt";

/// The driver's source.
const DRIVER: &str = "host-driver/kmdf/src";

/// The double's source.
const DOUBLE: &str = "host-driver/kmdf-sim/src";

/// The macro that calls a function of the framework.
const CALL: &str = "call_unsafe_wdf_function_binding";

#[derive(clap::Args)]
pub struct Arguments {
    /// Only compare: fail when the list is not current
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if arguments.check {
        return check(workspace);
    }
    let list = List::make(workspace)?;
    fs::write(workspace.root.join(FILE), &list.text)
        .with_context(|| format!("cannot write {FILE}"))?;
    say(&format!("wrote {FILE}"));
    list.check_double()
}

/// Fails when the list is not current, or the driver uses a name that the double has not.
pub fn check(workspace: &Workspace) -> Result<()> {
    let now = List::make(workspace)?;
    let then = fs::read_to_string(workspace.root.join(FILE)).unwrap_or_default();
    if now.text != then {
        bail!("{FILE} is not current; run `cargo xtask driver names`");
    }
    now.check_double()
}

/// The list, and what the double lacks of it.
struct List {
    text: String,
    missing: Vec<String>,
}

impl List {
    fn make(workspace: &Workspace) -> Result<Self> {
        let mut names = Names::default();
        for file in sources(&workspace.root.join(DRIVER))? {
            let text = fs::read_to_string(&file)?;
            names
                .add(&text)
                .with_context(|| workspace.show(&file).replace('\\', "/"))?;
        }
        let double = identifiers(&sources(&workspace.root.join(DOUBLE))?)?;
        let missing = names.last_parts().filter(|name| !double.contains(*name));
        let missing = missing.map(str::to_owned).collect();
        let (version, source) = windows_sys(workspace)?;
        let text = names.to_text(&version, &declared(&sources(&source)?)?);
        Ok(Self { text, missing })
    }

    fn check_double(&self) -> Result<()> {
        ensure!(
            self.missing.is_empty(),
            "the driver uses names that {DOUBLE} has not: {}",
            self.missing.join(", ")
        );
        Ok(())
    }
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Names below `wdk_sys`, as paths.
#[derive(Default)]
struct Names {
    /// Functions of the framework, which are called through a table.
    framework: BTreeSet<String>,
    /// Everything else: `ntddk::KeSetEvent`, `_WDF_TRI_STATE::WdfTrue`, `MDL`.
    others: BTreeSet<String>,
}

impl Names {
    /// Adds those of one file.
    fn add(&mut self, text: &str) -> Result<()> {
        let file = syn::parse_file(text)?;
        let mut imports = Imports::default();
        imports.visit_file(&file);
        ensure!(
            !imports.glob,
            "a glob import of wdk_sys hides which names are used: name them"
        );
        let mut finder = Finder {
            imports: imports.names,
            names: self,
        };
        finder.visit_file(&file);
        Ok(())
    }

    /// Each name without what is before it.
    fn last_parts(&self) -> impl Iterator<Item = &str> {
        let last = |path: &'_ String| path.rsplit("::").next().unwrap_or_default().len();
        self.framework
            .iter()
            .chain(&self.others)
            .map(move |path| &path[path.len() - last(path)..])
    }

    fn to_text(&self, version: &str, known: &HashSet<String>) -> String {
        let mut text = format!(
            "# Names of wdk-sys that the driver uses: do not edit. Made by: cargo xtask driver names\n\
             # All of them are in the double (host-driver/kmdf-sim). +: declared in windows-sys {version}, from Microsoft's metadata.\n"
        );
        let functions = self.framework.iter().cloned();
        section(
            &mut text,
            "Functions of the framework, called by name",
            functions,
            known,
        );
        let (ntddk, rest): (Vec<_>, Vec<_>) = self
            .others
            .iter()
            .cloned()
            .partition(|name| name.starts_with("ntddk::"));
        section(
            &mut text,
            "Functions of the kernel",
            ntddk.into_iter(),
            known,
        );
        section(
            &mut text,
            "Types, constants and macros",
            rest.into_iter(),
            known,
        );
        text
    }
}

fn section(
    text: &mut String,
    title: &str,
    names: impl Iterator<Item = String>,
    known: &HashSet<String>,
) {
    *text += &format!("\n# {title}\n");
    for name in names {
        let last = name.rsplit("::").next().unwrap_or_default();
        // C's tags, which bindgen keeps, have an underscore before the name, and its pointers a P.
        let prefixes = ["", "_", "P", "PC"];
        let is_known = prefixes
            .iter()
            .filter_map(|prefix| last.strip_prefix(prefix))
            .any(|name| known.contains(name));
        *text += &format!("{} {name}\n", if is_known { '+' } else { ' ' });
    }
}

/// What a file imports from `wdk_sys`: the local name, and the path below `wdk_sys`.
#[derive(Default)]
struct Imports {
    names: BTreeMap<String, Vec<String>>,
    glob: bool,
}

impl Imports {
    fn tree(&mut self, tree: &UseTree, path: &mut Vec<String>) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.tree(&part.tree, path);
                path.pop();
            }
            UseTree::Name(name) if name.ident == "self" => self.import(path.last().cloned(), path),
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.import(path.last().cloned(), path);
                path.pop();
            }
            UseTree::Rename(rename) => {
                path.push(rename.ident.to_string());
                self.import(Some(rename.rename.to_string()), path);
                path.pop();
            }
            UseTree::Glob(_) => self.glob |= path.first().is_some_and(|first| first == "wdk_sys"),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, path);
                }
            }
        }
    }

    fn import(&mut self, local: Option<String>, path: &[String]) {
        if let (Some(local), Some(("wdk_sys", below))) = (
            local,
            path.split_first()
                .map(|(first, below)| (first.as_str(), below)),
        ) {
            self.names.insert(local, below.to_vec());
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if is_for_the_double(&item.attrs) {
            return;
        }
        self.tree(&item.tree, &mut Vec::new());
    }
}

/// Finds the names that are used.
struct Finder<'names> {
    imports: BTreeMap<String, Vec<String>>,
    names: &'names mut Names,
}

impl Finder<'_> {
    /// Takes a path that may begin with `wdk_sys` or with what was imported from it.
    fn path(&mut self, path: &[String]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let mut below: Vec<_> = match self.imports.get(first) {
            Some(below) => below.iter().chain(rest).cloned().collect(),
            None if first == "wdk_sys" => rest.to_vec(),
            None => return,
        };
        // A function that belongs to a type, such as `default`, is Rust's.
        let is_rust = |name: &String| name.starts_with(char::is_lowercase);
        if below.len() > 1 && below[0] != "ntddk" && below.last().is_some_and(is_rust) {
            below.pop();
        }
        let is_module = below.len() == 1 && below[0] == "ntddk";
        if !below.is_empty() && !is_module {
            self.names.others.insert(below.join("::"));
        }
    }

    /// What a macro was given has no syntax that is known; paths are found in it all the same.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(part) => {
                    if colons != 2 {
                        self.path(&path);
                        path.clear();
                    }
                    path.push(part.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.path(&path);
                    path.clear();
                    self.tokens(group.stream());
                }
                _ => {
                    self.path(&path);
                    path.clear();
                    colons = 0;
                }
            }
        }
        self.path(&path);
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut imports = Imports::default();
        imports.visit_item_use(item);
        for local in imports.names.into_keys() {
            self.path(&[local]);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_for_the_double(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_the_double(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<_> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        self.path(&parts);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        // The framework's functions are the first argument of the macro that calls them, or of one that is built on it.
        if let Some(TokenTree::Ident(function)) = call.tokens.clone().into_iter().next() {
            let function = function.to_string();
            let is_call = call
                .path
                .segments
                .last()
                .is_some_and(|last| last.ident == CALL);
            if is_call || is_framework_function(&function) {
                self.names.framework.insert(function);
            }
        }
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

/// Whether an item is compiled against the double only, and may use what wdk-sys has not.
fn is_for_the_double(attributes: &[Attribute]) -> bool {
    let condition = |attribute: &Attribute| {
        attribute
            .meta
            .require_list()
            .map(|list| list.tokens.to_string())
    };
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .any(|attribute| {
            condition(attribute).is_ok_and(|text| text.replace(' ', "") == "not(windows)")
        })
}

/// Whether a name is built like those of the framework's functions.
fn is_framework_function(name: &str) -> bool {
    name.strip_prefix("Wdf")
        .is_some_and(|rest| rest.starts_with(char::is_uppercase))
}

/// Every identifier in some files, in macros too.
fn identifiers(files: &[PathBuf]) -> Result<HashSet<String>> {
    fn collect(tokens: TokenStream, found: &mut HashSet<String>) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => drop(found.insert(name.to_string())),
                TokenTree::Group(group) => collect(group.stream(), found),
                _ => {}
            }
        }
    }
    let mut found = HashSet::new();
    for file in files {
        let tokens = fs::read_to_string(file)?
            .parse()
            .map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
        collect(tokens, &mut found);
    }
    Ok(found)
}

/// The version of windows-sys that the lock file names, and its source.
fn windows_sys(workspace: &Workspace) -> Result<(String, PathBuf)> {
    let mut metadata = cargo();
    metadata
        .current_dir(&workspace.root)
        .args(["metadata", "--format-version=1", "--locked"]);
    let metadata: serde_json::Value = serde_json::from_str(&output(&mut metadata)?)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["name"] == "windows-sys")
        .filter_map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            let source = manifest.parent()?.join("src");
            let version = package["version"].as_str()?;
            version
                .starts_with("0.61.")
                .then(|| (version.to_owned(), source))
        })
        .next()
        .context("the lock file has no windows-sys 0.61")
}

/// The names that windows-sys declares. Its source is generated, one declaration to a line, and is not parsed: that is a hundred times
/// faster.
fn declared(files: &[PathBuf]) -> Result<HashSet<String>> {
    let mut names = HashSet::new();
    for file in files {
        for line in fs::read_to_string(file)?.lines() {
            names.extend(declaration(line).map(str::to_owned));
        }
    }
    Ok(names)
}

/// The name that a line of windows-sys declares.
fn declaration(line: &str) -> Option<&str> {
    let rest = if let Some((_, rest)) = line.split_once("link!(") {
        rest.split_once(" fn ")?.1
    } else {
        let rest = line.trim_start().strip_prefix("pub ")?;
        ["const ", "struct ", "union ", "type "]
            .iter()
            .find_map(|keyword| rest.strip_prefix(keyword))?
    };
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        let mut names = Names::default();
        names.add(text).unwrap();
        names
    }

    #[test]
    fn names_are_found_through_imports_paths_and_macros() {
        let names = names(
            "use wdk_sys::{self, MDL, ntddk, ntddk::KeSetEvent as set, call_unsafe_wdf_function_binding as call};
             use wdk_sys::_WDF_TRI_STATE::{self, WdfTrue};
             use other::Thing;
             #[cfg(not(windows))]
             use wdk_sys::mmio as access;
             #[cfg(not(windows))]
             fn double() { wdk_sys::double() }
             fn f(mdl: *mut MDL) {
                 let a = _WDF_TRI_STATE::WdfUseDefault;
                 let b = MDL::default();
                 unsafe { ntddk::MmUnlockPages(mdl); wdk_sys::ntddk::KeBugCheck(0) };
                 let _ = call_unsafe_wdf_function_binding!(WdfDeviceCreate, Thing::x, wdk_sys::STATUS_SUCCESS);
                 wdf!(WdfObjectDelete(mdl as wdk_sys::WDFOBJECT));
                 Thing::y();
             }",
        );
        let framework: Vec<_> = names.framework.iter().map(String::as_str).collect();
        assert_eq!(framework, ["WdfDeviceCreate", "WdfObjectDelete"]);
        let others: Vec<_> = names.others.iter().map(String::as_str).collect();
        assert_eq!(
            others,
            [
                "MDL",
                "STATUS_SUCCESS",
                "WDFOBJECT",
                "_WDF_TRI_STATE",
                "_WDF_TRI_STATE::WdfTrue",
                "_WDF_TRI_STATE::WdfUseDefault",
                "call_unsafe_wdf_function_binding",
                "ntddk::KeBugCheck",
                "ntddk::KeSetEvent",
                "ntddk::MmUnlockPages",
            ]
        );
    }

    #[test]
    fn globs_are_refused() {
        let error = Names::default().add("use wdk_sys::*;").unwrap_err();
        assert!(error.to_string().contains("glob"), "{error}");
        names("use other::*;");
    }

    #[test]
    fn declarations_of_windows_sys_are_read() {
        let function = r#"windows_link::link!("ntoskrnl.exe" "system" fn KeSetEvent(event : *mut KEVENT) -> i32);"#;
        assert_eq!(declaration(function), Some("KeSetEvent"));
        assert_eq!(declaration("pub type PMDL = *mut MDL;"), Some("PMDL"));
        assert_eq!(declaration("pub const DMA_V3: u32 = 3;"), Some("DMA_V3"));
        assert_eq!(declaration("    pub Size: u32,"), None);
    }

    /// What the driver calls is what the double has, and the list says so.
    #[test]
    fn list_is_current() {
        check(&Workspace::find().unwrap()).unwrap();
    }
}
