//! `energy-prof record`: measures into a trace, and says at the end what it holds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use energy_prof::analyze::AnalyzeOptions;
use energy_prof::emissions::{GIVEN, Site, SiteOptions};
use energy_prof::probes::{Account, CallGraph, CounterEvent};
use energy_prof::record::{
    Progress, RecordError, RecordOptions, Recording, TargetChoice, jit_environment, record,
};
use energy_prof::report;
use energy_prof::sources::SourceChoice;
use energy_prof::trace::{Existing, Owner};
use energy_prof::units::Watts;

use super::calibrate;
use super::emissions;
use super::report::profile_of;
use super::site::{Said, found};
use crate::cli::{self, Color, MeasureArguments, RecordArguments, TargetArguments};
use crate::exit::Status;
use crate::terminal::{self, StatusLine};

pub(crate) fn run(arguments: &RecordArguments, color: Color) -> anyhow::Result<Status> {
    let strict = arguments.measure.strict;
    let quiet = arguments.quiet;
    let Some(target) = target_of(&arguments.target) else {
        terminal::say(&format!("energy-prof: {}\n", cli::FORMS));
        return Ok(Status::USAGE);
    };
    // Told now, and not when all is recorded.
    let site = Said::of_this_machine(&arguments.place)?.options;
    found(Site::of(&site, u16::MAX), &site)?;
    let account = Account::behind_sudo();
    let options = RecordOptions {
        target,
        inherit: !arguments.target.no_inherit,
        duration: arguments.duration,
        output: arguments.output.clone(),
        existing: if arguments.force { Existing::Overwrite } else { Existing::KeepAsOld },
        owner: account.as_ref().map(|account| Owner { uid: account.uid, gid: account.gid }),
        account: account.filter(|_| !arguments.target.as_root),
        environment: environment(arguments),
        frequency: (!arguments.no_stacks).then_some(arguments.frequency),
        call_graph: arguments.call_graph,
        given: given(arguments, &site),
        ..measure_options(&arguments.measure)?
    };
    if !quiet && !options.environment.is_empty() {
        let set = options.environment.iter();
        let set: Vec<_> = set.map(|(name, value)| format!("{name}={}", value.display())).collect();
        terminal::say(&format!("energy-prof: set for the command: {}\n", set.join(", ")));
    }
    let mut line = StatusLine::new(quiet);
    let result = recorded(&options, |progress| tell(&mut line, &progress, quiet));
    line.clear();
    let recording = result?;
    if !quiet {
        for warning in &recording.warnings {
            eprintln!("energy-prof: {warning}");
        }
        summarise(&arguments.output, &recording, color)?;
    }
    Ok(status_of(&recording, strict))
}

/// Records, on a runtime of its own.
pub(crate) fn recorded(
    options: &RecordOptions,
    progress: impl FnMut(Progress),
) -> anyhow::Result<Recording> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the recorder's event loop; too many files may be open")?;
    let result: Result<Recording, RecordError> = runtime.block_on(record(options, progress));
    Ok(result?)
}

/// The options that `record` and `stat` share; the rest is to be filled in.
pub(crate) fn measure_options(arguments: &MeasureArguments) -> anyhow::Result<RecordOptions> {
    Ok(RecordOptions {
        target: TargetChoice::All,
        inherit: true,
        window: arguments.window,
        duration: None,
        output: "energy.trace".into(),
        existing: Existing::KeepAsOld,
        owner: None,
        account: None,
        environment: Vec::new(),
        powercap_root: arguments.powercap_root.clone(),
        sysfs: arguments.sysfs.clone(),
        dev: arguments.dev.clone(),
        nvml_library: arguments.nvml_library.clone(),
        source: arguments.source,
        core_counters: arguments.core_counters,
        counters: counters(arguments),
        calibration: calibrate::for_recording(arguments)?,
        frequency: None,
        call_graph: CallGraph::default(),
        log_shift: arguments.log_records,
        btf: arguments.btf.clone(),
        given: BTreeMap::new(),
    })
}

/// What is to be counted, each once, and by which event.
fn counters(arguments: &MeasureArguments) -> Vec<CounterEvent> {
    let mut counters = arguments.counters.clone();
    counters.sort_unstable();
    counters.dedup();
    let given = |counter| {
        let mut events = arguments.counter_event.iter();
        events.find(|event| event.counter == counter).copied()
    };
    let event = |counter| given(counter).unwrap_or_else(|| CounterEvent::usual(counter));
    counters.into_iter().map(event).collect()
}

/// The recorder's exit code: the command's own, unless something was lost that must not be.
pub(crate) fn status_of(recording: &Recording, strict: bool) -> Status {
    if strict && recording.session.losses.any() {
        return Status::LOSS;
    }
    recording.session.exit_code.map_or(Status::SUCCESS, Status::of_command)
}

fn target_of(arguments: &TargetArguments) -> Option<TargetChoice> {
    if !arguments.pid.is_empty() {
        return Some(TargetChoice::Pids(arguments.pid.clone()));
    }
    if arguments.all {
        return Some(TargetChoice::All);
    }
    (!arguments.argv.is_empty()).then(|| TargetChoice::Command(arguments.argv.clone()))
}

/// What the command's JIT compilers are to be told, where they are.
fn environment(arguments: &RecordArguments) -> Vec<(&'static str, OsString)> {
    if arguments.jit { jit_environment(|name| std::env::var_os(name)) } else { Vec::new() }
}

/// The options as given, for the trace.
fn given(arguments: &RecordArguments, site: &SiteOptions) -> BTreeMap<String, String> {
    let mut given = BTreeMap::new();
    let mut note = |name: &str, value: String| given.insert(name.to_owned(), value);
    note("window", report::duration(arguments.measure.window));
    if let Some(duration) = arguments.duration {
        note("duration", report::duration(duration));
    }
    if let Some(root) = &arguments.measure.powercap_root {
        note("powercap-root", root.display().to_string());
    }
    if let Some(library) = &arguments.measure.nvml_library {
        note("nvml-library", library.display().to_string());
    }
    if let Some(calibration) = &arguments.measure.calibration {
        note("calibration", calibration.display().to_string());
    }
    if arguments.measure.source != SourceChoice::Auto {
        note("source", arguments.measure.source.name().to_owned());
    }
    if arguments.jit {
        note("jit", "true".to_owned());
    }
    for (name, text, by) in site.texts() {
        note(name, text);
        if by != GIVEN {
            note(&format!("{name}-from"), by.to_owned());
        }
    }
    given
}

fn tell(line: &mut StatusLine, progress: &Progress, quiet: bool) {
    match progress {
        Progress::Started { notes } if !quiet => {
            for note in notes {
                terminal::say(&format!("energy-prof: {note}\n"));
            }
        }
        Progress::Started { .. } => {}
        Progress::Running { elapsed, watts, estimated } => {
            let label = if *estimated { " (estimated)" } else { "" };
            let power = watts.map(|watts| format!("  {}{label}", report::power(Watts::new(watts))));
            let power = power.unwrap_or_default();
            line.show(&format!("recording {}{power}  Ctrl-C stops", report::duration(*elapsed)));
        }
        Progress::Finishing => line.show("completing the trace"),
    }
}

/// The lines at the end: joules per domain and where they went, losses, size, what to do next.
fn summarise(output: &Path, recording: &Recording, color: Color) -> anyhow::Result<()> {
    let profile = profile_of(output, &AnalyzeOptions::default())?;
    let color = terminal::colours(color, &std::io::stderr());
    terminal::say(&report::summary(&profile, color, terminal::width()));
    if profile.facts.site.place.is_some() {
        terminal::say(&format!("{}\n", emissions::in_one_line(&profile)?));
    }
    let path = output.display();
    let more = if output == Path::new("energy.trace") { String::new() } else { format!(" {path}") };
    let size = report::bytes(recording.size.bytes);
    terminal::say(&format!("Wrote {path} ({size}). Next: energy-prof report{more}\n"));
    Ok(())
}
