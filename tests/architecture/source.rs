//! Taking the sources apart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// One file, without its unit tests.
pub struct Source {
    /// From the project's root.
    pub path: PathBuf,
    /// `src/store/users.rs` is `["store", "users"]`, `src/store/mod.rs` is `["store"]`.
    pub module: Vec<String>,
    pub text: String,
    pub tokens: Vec<TokenTree>,
}

/// A path of names as it stands in the code, whole: `crate::store::users::by_id`.
pub struct Named {
    pub names: Vec<String>,
    pub line: usize,
    /// Whether it stands in a `use`.
    pub imports: bool,
}

/// Where a rule is broken.
pub struct Breach(pub String);

impl Source {
    pub fn all() -> Vec<Source> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = Vec::new();
        collect(&root.join("src"), &mut files);
        assert!(files.len() > 20, "src is not where it was");
        let read = |file: &PathBuf| {
            let text = fs::read_to_string(file).unwrap();
            let tokens: TokenStream =
                text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let path = file.strip_prefix(root).unwrap().to_owned();
            let module = path.with_extension("");
            let mut module: Vec<_> =
                module.iter().skip(1).map(|name| name.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
                module.pop();
            }
            Source { path, module, text, tokens: without_tests(tokens) }
        };
        files.iter().map(read).collect()
    }

    pub fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    pub fn breach(&self, line: usize, rule: impl fmt::Display) -> Breach {
        Breach(format!("{}:{line}: {rule}", self.path.display()))
    }

    /// Every path of names, spelled out from the crate's root, or the library's: `super`, `self` and imported
    /// names are put back to what they stand for.
    pub fn named(&self) -> Vec<Named> {
        let mut found = Vec::new();
        named_in(&self.tokens, &mut found);
        for Named { names, .. } in &mut found {
            let up = names.iter().take_while(|name| *name == "super").count();
            if up > 0 || names[0] == "self" {
                let base = &self.module[..self.module.len().saturating_sub(up)];
                names.splice(..up.max(1), ["crate".to_owned()].into_iter().chain(base.iter().cloned()));
            }
        }
        let imported: BTreeMap<_, _> = found
            .iter()
            .filter(|named| named.imports && named.names.len() > 1)
            .map(|named| (named.names[named.names.len() - 1].clone(), named.names.clone()))
            .collect();
        for Named { names, .. } in found.iter_mut().filter(|named| !named.imports) {
            if let Some(whole) = imported.get(&names[0]) {
                names.splice(..1, whole.iter().cloned());
            }
        }
        found
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            collect(&entry, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
}

/// Leaves out `#[cfg(test)] mod … { … }`.
fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept: Vec<TokenTree> = Vec::new();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        let is_test =
            matches!(&token, TokenTree::Group(group) if group.to_string().replace(' ', "") == "[cfg(test)]");
        if is_test {
            kept.pop();
            tokens.by_ref().find(
                |token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace),
            );
        } else {
            kept.push(token);
        }
    }
    kept
}

pub fn name(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

pub fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

fn is(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

pub fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn named_in(tokens: &[TokenTree], found: &mut Vec<Named>) {
    let (mut at, mut imports) = (0, false);
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(ident) if *ident == "use" => (at, imports) = (at + 1, true),
            TokenTree::Ident(_) => at = path_at(tokens, at, &[], imports, found),
            TokenTree::Group(group) => {
                named_in(&inside(group), found);
                at += 1;
            }
            token => {
                imports &= !is(Some(token), ';');
                at += 1;
            }
        }
    }
}

/// Reads the path that starts at `at`, with all that stands in its braces; returns where it ends.
fn path_at(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    imports: bool,
    found: &mut Vec<Named>,
) -> usize {
    let line = tokens[at].span().start().line;
    let mut names = before.to_vec();
    loop {
        names.extend(name(tokens.get(at)));
        let goes_on = is(tokens.get(at + 1), ':') && is(tokens.get(at + 2), ':');
        if goes_on && name(tokens.get(at + 3)).is_some() {
            at += 3;
            continue;
        }
        if goes_on && let Some(braces) = group(tokens.get(at + 3), Delimiter::Brace) {
            let branches = inside(braces);
            let mut branch = 0;
            while branch < branches.len() {
                branch = match name(branches.get(branch)).as_deref() {
                    Some("self") => {
                        found.push(Named { names: names.clone(), line, imports });
                        branch + 1
                    }
                    Some(_) => path_at(&branches, branch, &names, imports, found),
                    None => branch + 1,
                };
            }
            return at + 4;
        }
        found.push(Named { names, line, imports });
        return at + 1;
    }
}
