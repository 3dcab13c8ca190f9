//! Compares the imports of `energy-user` with the architecture: modules import only those to their
//! left, and a foreign crate is known to its owner alone.
//! The architecture itself is in [`table`].

mod imports;
mod table;
mod tokens;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::workspace;

/// Where the sources of the library and the program lie, relative to the top of the checkout.
const SOURCES: &str = "energy-user/src";

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    if !arguments.is_empty() {
        bail!("arrows takes no arguments");
    }
    check_checkout(&workspace::root())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints each wrong import in the checkout at `root`, and fails if there is one.
pub(crate) fn check_checkout(root: &Path) -> anyhow::Result<()> {
    let (files, faults) = check(&root.join(SOURCES))?;
    for fault in &faults {
        println!("{fault}");
    }
    match faults.len() {
        0 => println!("the imports of {files} files point the right way"),
        1 => bail!("one import points the wrong way; docs/style.md says where things go"),
        many => bail!("{many} imports point the wrong way; docs/style.md says where things go"),
    }
    Ok(())
}

/// An import that the architecture does not allow.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// Relative to [`SOURCES`].
    file: PathBuf,
    line: usize,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SOURCES}/{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

/// The number of files looked at, and what is wrong in them.
fn check(sources: &Path) -> anyhow::Result<(usize, Vec<Fault>)> {
    let mut files = Vec::new();
    collect(sources, &mut files)?;
    files.sort();
    let mut faults = Vec::new();
    for path in &files {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        faults.extend(check_file(path.strip_prefix(sources).unwrap_or(path), &text));
    }
    Ok((files.len(), faults))
}

/// What is wrong in the file at `path` below [`SOURCES`].
fn check_file(path: &Path, text: &str) -> Vec<Fault> {
    let place = Place::of(path);
    let tokens = tokens::without_tests(&tokens::read(text));
    let mut faults = Vec::new();
    let mut fault = |line, what| faults.push(Fault { file: path.to_owned(), line, what });
    if let Place::Module(module) = &place {
        if let Some(level) = table::level(module) {
            for import in imports::own_modules(&tokens, &module_path(path)) {
                if let Some(what) = wrong_arrow(module, level, &import.name) {
                    fault(import.line, what);
                }
            }
        } else {
            fault(1, format!("`{module}` has no place in the architecture; {}", table::ADVICE));
        }
    }
    for import in imports::crates(&tokens) {
        if let Some(owners) = table::owners(&import.name)
            && !owners.iter().any(|owner| path.starts_with(owner))
        {
            let owners = owners.join(" and ");
            fault(import.line, format!("`{}` is known to {owners} alone", import.name));
        }
    }
    faults
}

/// Why the module `from`, which stands on `level`, must not import `to`.
fn wrong_arrow(from: &str, level: usize, to: &str) -> Option<String> {
    if from == to {
        return None;
    }
    match table::level(to) {
        None => Some(format!("`{to}` has no place in the architecture; {}", table::ADVICE)),
        Some(other) if other < level => None,
        Some(other) if other == level => {
            Some(format!("`{from}` and `{to}` are siblings and must not know each other"))
        }
        Some(_) => Some(format!("`{to}` is built on `{from}`, not the other way round")),
    }
}

/// Which part of the crate a file belongs to.
enum Place {
    /// The library's root, which lists the modules.
    Root,
    /// The program, another crate that may use all of the library.
    Program,
    /// A file of this top-level module.
    Module(String),
}

impl Place {
    fn of(path: &Path) -> Self {
        match module_path(path).first().map(String::as_str) {
            None => Self::Root,
            Some("bin") => Self::Program,
            Some(module) => Self::Module(module.to_owned()),
        }
    }
}

/// The module that a file holds, outermost name first: `trace/tables/mod.rs` is trace, tables.
fn module_path(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        path.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|name| matches!(name.as_str(), "mod" | "lib")) {
        names.pop();
    }
    names
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<(usize, String)> {
        check_file(Path::new(path), text)
            .into_iter()
            .map(|fault| (fault.line, fault.what))
            .collect()
    }

    #[test]
    fn an_import_from_the_left_is_right() {
        assert_eq!(faults("trace/writer.rs", "use crate::model::Window;\n"), []);
        assert_eq!(faults("record/mod.rs", "use crate::{trace::TraceWriter, units};\n"), []);
    }

    #[test]
    fn siblings_do_not_know_each_other() {
        assert_eq!(
            faults("trace/writer.rs", "\nuse crate::sources::Meter;\n"),
            [(2, "`trace` and `sources` are siblings and must not know each other".to_owned())]
        );
    }

    #[test]
    fn the_model_does_not_know_what_is_built_on_it() {
        assert_eq!(
            faults("model/window.rs", "fn f() -> crate::trace::Session {}\n"),
            [(1, "`trace` is built on `model`, not the other way round".to_owned())]
        );
    }

    #[test]
    fn a_module_may_use_itself() {
        assert_eq!(faults("trace/writer.rs", "use crate::trace::part;\nuse super::part;\n"), []);
    }

    #[test]
    fn a_way_up_and_over_is_an_import_like_any_other() {
        assert_eq!(
            faults("probes/mod.rs", "use super::trace::Session;\n"),
            [(1, "`probes` and `trace` are siblings and must not know each other".to_owned())]
        );
    }

    #[test]
    fn tests_may_import_what_they_like() {
        let text =
            "use crate::units::Joules;\n#[cfg(test)]\nmod tests { use crate::sources::Meter; }\n";
        assert_eq!(faults("trace/writer.rs", text), []);
    }

    #[test]
    fn a_new_module_needs_a_place() {
        let found = faults("weather/mod.rs", "");
        assert_eq!(found.len(), 1);
        assert!(found[0].1.starts_with("`weather` has no place in the architecture"));
    }

    #[test]
    fn a_foreign_crate_is_known_to_its_owner_alone() {
        assert_eq!(faults("probes/load.rs", "use aya::Ebpf;\n"), []);
        assert_eq!(
            faults("record/mod.rs", "use aya::Ebpf;\n"),
            [(1, "`aya` is known to probes alone".to_owned())]
        );
        assert_eq!(
            faults("bin/energy-prof/commands/record.rs", "#[derive(clap::Args)]\nstruct A;\n"),
            [(
                1,
                "`clap` is known to bin/energy-prof/cli.rs and bin/energy-prof/cli alone"
                    .to_owned()
            )]
        );
    }

    #[test]
    fn the_program_may_use_the_whole_library() {
        assert_eq!(faults("bin/energy-prof/commands/record.rs", "use energy_prof::record;\n"), []);
    }

    #[test]
    fn this_checkout_keeps_to_the_architecture() {
        let (files, faults) = check(&workspace::root().join(SOURCES)).unwrap();
        assert!(files > 0);
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}
