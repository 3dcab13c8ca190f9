//! The modules and crates that a file names, whether in a `use` or in the middle of an expression.

use super::tokens::{Kind, Token};

/// A module or crate that is named, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) name: String,
    /// Counted from one.
    pub(super) line: usize,
}

/// The top-level modules of our own crate that a file names: through `crate::`, or through as many
/// `super::` as lead out of its own module, which is `file` plus the inline modules around.
pub(super) fn own_modules(tokens: &[Token], file: &[String]) -> Vec<Import> {
    let mut imports = Vec::new();
    let mut inline = InlineModules::default();
    let mut at = 0;
    while at < tokens.len() {
        inline.step(tokens, at);
        if tokens[at].is_name("crate") {
            first_names(tokens, at + 1, &mut imports);
        } else if tokens[at].is_name("super") {
            let steps = count_supers(tokens, at);
            let behind = at + 2 * steps - 1;
            if steps == file.len() + inline.depth() {
                first_names(tokens, behind, &mut imports);
            }
            at = behind;
            continue;
        }
        at += 1;
    }
    imports
}

/// The foreign crates that a file may be naming: every name at the head of a path. A local module
/// or type at the head of a path is among them; the caller looks for the names it knows.
pub(super) fn crates(tokens: &[Token]) -> Vec<Import> {
    let mut imports = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Kind::Name(name) = &token.kind else { continue };
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        let goes_on = tokens.get(at + 1).is_some_and(Token::is_separator);
        let heads_path = goes_on && !before.is_some_and(Token::is_separator);
        // `use aya;`, `use aya as bpf;` and `extern crate aya;` name a crate without a path.
        let is_bare = before.is_some_and(|before| before.is_name("use") || before.is_name("crate"));
        if heads_path || is_bare || is_rooted(tokens, at) {
            imports.push(Import { name: name.clone(), line: token.line });
        }
    }
    imports
}

/// Whether the name at `at` follows a `::` that itself heads the path, as in `use ::aya::Ebpf`.
fn is_rooted(tokens: &[Token], at: usize) -> bool {
    let Some(separator) = at.checked_sub(1).filter(|before| tokens[*before].is_separator()) else {
        return false;
    };
    let mut before = tokens[..separator].iter().rev();
    match before.next().map(|token| &token.kind) {
        Some(Kind::Name(name)) => {
            matches!(name.as_str(), "use" | "as" | "in" | "dyn" | "impl" | "mut" | "return")
        }
        // `Vec<T>::new` goes on with a path, `-> ::aya::Ebpf` starts one.
        Some(Kind::Mark('>')) => before.next().is_some_and(|token| token.is_mark('-')),
        None | Some(Kind::Mark(_)) => true,
        Some(Kind::PathSeparator) => false,
    }
}

/// The number of `super::` in a row from `at` on; at least one.
fn count_supers(tokens: &[Token], at: usize) -> usize {
    let mut steps = 1;
    while tokens.get(at + 2 * steps - 1).is_some_and(Token::is_separator)
        && tokens.get(at + 2 * steps).is_some_and(|token| token.is_name("super"))
    {
        steps += 1;
    }
    steps
}

/// The names that a path goes on with behind its separator at `at`: one, or those of a group.
fn first_names(tokens: &[Token], at: usize, imports: &mut Vec<Import>) {
    if !tokens.get(at).is_some_and(Token::is_separator) {
        return;
    }
    let Some(next) = tokens.get(at + 1) else { return };
    match &next.kind {
        Kind::Name(name) => imports.push(Import { name: name.clone(), line: next.line }),
        Kind::Mark('*') => imports.push(Import { name: "*".to_owned(), line: next.line }),
        Kind::Mark('{') => group_names(&tokens[at + 2..], imports),
        _ => {}
    }
}

/// The first name of each element of a group, whose inside starts with `tokens`.
fn group_names(tokens: &[Token], imports: &mut Vec<Import>) {
    let mut depth = 0_usize;
    let mut starts = true;
    for token in tokens {
        match &token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') if depth == 0 => return,
            Kind::Mark('}') => depth -= 1,
            Kind::Mark(',') if depth == 0 => starts = true,
            Kind::Mark('*') if starts => {
                imports.push(Import { name: "*".to_owned(), line: token.line });
                starts = false;
            }
            Kind::Name(name) if starts => {
                imports.push(Import { name: name.clone(), line: token.line });
                starts = false;
            }
            _ => {}
        }
    }
}

/// How many modules with a body in this file are open at a place.
#[derive(Default)]
struct InlineModules {
    braces: usize,
    /// The number of open braces before each open module's own.
    opened_at: Vec<usize>,
}

impl InlineModules {
    fn step(&mut self, tokens: &[Token], at: usize) {
        match tokens[at].kind {
            Kind::Mark('{') => {
                if at >= 2 && tokens[at - 2].is_name("mod") {
                    self.opened_at.push(self.braces);
                }
                self.braces += 1;
            }
            Kind::Mark('}') => {
                self.braces = self.braces.saturating_sub(1);
                if self.opened_at.last() == Some(&self.braces) {
                    self.opened_at.pop();
                }
            }
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.opened_at.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::read;
    use super::*;

    fn own(text: &str, file: &[&str]) -> Vec<String> {
        let file: Vec<String> = file.iter().map(ToString::to_string).collect();
        own_modules(&read(text), &file).into_iter().map(|import| import.name).collect()
    }

    fn foreign(text: &str) -> Vec<String> {
        crates(&read(text)).into_iter().map(|import| import.name).collect()
    }

    #[test]
    fn a_path_from_the_root_names_its_first_module() {
        assert_eq!(own("use crate::model::{Window, thread::X};", &["trace"]), ["model"]);
        assert_eq!(own("let x = crate::units::Joules::ZERO;", &["trace"]), ["units"]);
    }

    #[test]
    fn a_group_names_the_head_of_each_element() {
        let text = "use crate::{model::{self, Window}, units::*, sources as s};";
        assert_eq!(own(text, &["trace"]), ["model", "units", "sources"]);
    }

    #[test]
    fn visibility_is_no_import() {
        assert_eq!(own("pub(crate) fn f() {} pub(super) fn g() {}", &["trace"]), [""; 0]);
    }

    #[test]
    fn only_a_way_up_that_leaves_the_module_counts() {
        assert_eq!(own("use super::part;", &["trace", "writer"]), [""; 0]);
        assert_eq!(own("use super::super::sources::Meter;", &["trace", "writer"]), ["sources"]);
        assert_eq!(own("use super::sources;", &["trace"]), ["sources"]);
    }

    #[test]
    fn an_inline_module_is_one_step_deeper() {
        let text = "mod inner { use super::part; use super::super::sources; } use super::model;";
        assert_eq!(own(text, &["trace"]), ["sources", "model"]);
    }

    #[test]
    fn a_glob_of_the_root_is_seen() {
        assert_eq!(own("use crate::*;", &["trace"]), ["*"]);
    }

    #[test]
    fn a_crate_is_the_head_of_a_path() {
        assert_eq!(foreign("use aya::maps::Map;"), ["aya"]);
        assert_eq!(foreign("fn f() -> ::aya::Ebpf {}"), ["aya"]);
        assert_eq!(foreign("use aya as bpf;"), ["aya"]);
        assert_eq!(foreign("impl From<parquet::Error> for E {}"), ["parquet"]);
    }

    #[test]
    fn a_field_or_a_later_name_of_a_path_is_no_crate() {
        assert_eq!(foreign("self.parquet.len(); model::trace::parquet::x()"), ["model"]);
    }
}
