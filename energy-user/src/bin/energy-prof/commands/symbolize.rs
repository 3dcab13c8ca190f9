//! `energy-prof symbolize`: better names for a trace, with debug files that were not there before.

use std::env;
use std::path::PathBuf;

use anyhow::Context;
use energy_prof::analyze::{ModuleNames, Symbolized, symbolize};
use energy_prof::symbols::{DebugFiles, Debuginfod};

use super::report::unwrap_trace_error;
use crate::cli::SymbolizeArguments;
use crate::exit::Status;
use crate::terminal::{self, StatusLine};

/// How many modules are told of.
const SHOWN_MODULES: usize = 10;

pub(crate) fn run(arguments: &SymbolizeArguments) -> anyhow::Result<Status> {
    let servers = servers(arguments)?;
    let mut files = DebugFiles::new(arguments.debug_dir.clone(), servers)?;
    let mut line = StatusLine::new(false);
    let symbolized = symbolize(&arguments.trace, &mut files, |module| {
        line.show(&format!("looking for the names of {}", printable(module)));
    });
    line.clear();
    let symbolized = symbolized.map_err(unwrap_trace_error)?;
    for warning in &symbolized.warnings {
        terminal::say(&format!("energy-prof: {warning}\n"));
    }
    terminal::say(&text(&symbolized));
    let trace = arguments.trace.display();
    terminal::say(&match symbolized.written {
        Some(stacks) => format!("Wrote {trace}/stacks.parquet ({stacks} stacks)\n"),
        None => format!("Nothing better was found; {trace} is as it was\n"),
    });
    Ok(Status::SUCCESS)
}

/// Those to ask: the ones given, else those of the environment, as with other tools. None are asked
/// where nobody named any.
fn servers(arguments: &SymbolizeArguments) -> anyhow::Result<Option<Debuginfod>> {
    let mut urls = arguments.debuginfod.clone();
    if urls.is_empty() {
        let listed = env::var("DEBUGINFOD_URLS").unwrap_or_default();
        // Words such as `ima:enforcing` say how elfutils is to check signatures.
        let words = listed.split_whitespace().filter(|word| !word.starts_with("ima:"));
        urls = words.map(str::to_owned).collect();
    }
    if urls.is_empty() {
        return Ok(None);
    }
    let cache = cache().context(
        "cannot keep what debuginfod servers send: neither XDG_CACHE_HOME nor HOME is set; set one",
    )?;
    Ok(Some(Debuginfod::new(&urls, cache)?))
}

/// Where what was fetched is kept; `None` where the environment names no place.
pub(super) fn cache() -> Option<PathBuf> {
    let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
    Some(cache.join("energy-prof"))
}

/// How many names there were and are, and where they are still missing.
fn text(symbolized: &Symbolized) -> String {
    let modules = symbolized.modules.values();
    let all = modules.fold(ModuleNames::default(), ModuleNames::and);
    let mut text = format!(
        "frames without a name  {} of {} before, {} after\n\
         frames without a line  {} before, {} after\n",
        all.unnamed_before, all.frames, all.unnamed_after, all.lineless_before, all.lineless_after
    );
    let lacking = symbolized.modules.iter().filter(|(_, names)| names.unnamed_before > 0);
    let mut lacking: Vec<(&String, &ModuleNames)> = lacking.collect();
    lacking
        .sort_by_key(|(_, names)| std::cmp::Reverse((names.unnamed_after, names.unnamed_before)));
    if lacking.is_empty() {
        return text;
    }
    text.push_str("\nunnamed before     after        of  module\n");
    let mut row = |names: &ModuleNames, module: &str| {
        let ModuleNames { unnamed_before, unnamed_after, frames, .. } = names;
        text.push_str(&format!("{unnamed_before:14}{unnamed_after:10}{frames:10}  {module}\n"));
    };
    for (module, names) in lacking.iter().take(SHOWN_MODULES) {
        let why = names.why.map(|why| format!(": {why}")).unwrap_or_default();
        row(names, &format!("{}{why}", printable(module)));
    }
    if lacking.len() > SHOWN_MODULES {
        let rest = &lacking[SHOWN_MODULES..];
        let sum = rest.iter().fold(ModuleNames::default(), |sum, (_, names)| sum.and(names));
        row(&sum, &format!("[{} more modules]", rest.len()));
    }
    text
}

/// A path made safe to print: it must not move the cursor or break a line.
fn printable(path: &str) -> String {
    path.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
