//! `energy-prof doctor`: what this machine can measure, how well, and what would make it better.

use std::io::stdout;
use std::path::Path;
use std::time::Duration;

use energy_prof::model::Provenance;
use energy_prof::probes::{BpfSupport, ProbeError, SamplingEvent, count_event, monotonic_now};
use energy_prof::sources::{
    EnergySource, Finding, FindingState, HostFacts, SourceChoice, SourceOptions, cross_check,
    discover,
};
use serde::Serialize;

use crate::cli::{Color, DoctorArguments};
use crate::exit::Status;
use crate::terminal;

/// Rises when a field changes its meaning.
const SCHEMA_VERSION: u32 = 1;

/// For how long counters are compared where there are two ways to one.
const COMPARED_FOR: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct Report {
    schema_version: u32,
    tool: &'static str,
    kernel: String,
    cpu_model: Option<String>,
    cpus: u32,
    virtualisation: Option<String>,
    /// Whether `record` works here, with this user.
    can_record: bool,
    /// Whether its energy would be measured and not estimated.
    measured: bool,
    findings: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    what: String,
    state: &'static str,
    detail: String,
    remedy: Option<String>,
}

pub(crate) fn run(arguments: &DoctorArguments, color: Color) -> anyhow::Result<Status> {
    let facts = HostFacts::of_this_machine();
    let options = SourceOptions {
        powercap_root: arguments.powercap_root.clone(),
        sysfs: arguments.sysfs.clone(),
        dev: arguments.dev.clone(),
        nvml_library: arguments.nvml_library.clone(),
        choice: arguments.source,
        core_counters: arguments.core_counters,
    };
    let mut found = discover(&options, &facts, &count_event);
    let has_counters = !found.sources.is_empty();
    let mut kinds = found.sources.iter().map(|source| source.provenance());
    let measured = found.model.is_none() && kinds.any(|kind| kind == Provenance::Measured);
    let mut compared = found.sources;
    compared.extend(other_ways(&options, &facts));
    if compared.len() > 1 {
        let wait = || std::thread::sleep(COMPARED_FOR);
        found.findings.extend(cross_check(&mut compared, &monotonic_now, wait));
    }
    let bpf = BpfSupport::probe();
    let can_record =
        bpf.attached.is_ok() && bpf.host_pids && (has_counters || found.model.is_some());
    let mut findings = about_bpf(&bpf);
    findings.extend(found.findings.iter().map(line));
    findings.push(about_cgroups());
    let report = Report {
        schema_version: SCHEMA_VERSION,
        tool: concat!("energy-prof ", env!("CARGO_PKG_VERSION")),
        kernel: facts.kernel.clone(),
        cpu_model: facts.cpu_model.clone(),
        cpus: facts.cpus,
        virtualisation: facts.virtualisation.clone(),
        can_record,
        measured,
        findings,
    };
    if arguments.json {
        terminal::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        terminal::print(&text(&report, terminal::colours(color, &stdout())))?;
    }
    Ok(Status::SUCCESS)
}

/// What reads the same counters as registers, to hold those against.
fn other_ways(options: &SourceOptions, facts: &HostFacts) -> Vec<Box<dyn EnergySource>> {
    if options.choice != SourceChoice::RaplMsr {
        return Vec::new();
    }
    let by = |choice| {
        discover(&SourceOptions { choice, ..options.clone() }, facts, &count_event).sources
    };
    [SourceChoice::RaplPerf, SourceChoice::RaplPowercap].into_iter().flat_map(by).collect()
}

fn line(finding: &Finding) -> Line {
    Line {
        what: finding.what.clone(),
        state: match finding.state {
            FindingState::Ok => "ok",
            FindingState::Degraded => "degraded",
            FindingState::Missing => "missing",
        },
        detail: finding.detail.clone(),
        remedy: finding.remedy.clone(),
    }
}

fn about_bpf(bpf: &BpfSupport) -> Vec<Line> {
    let attached = match &bpf.attached {
        Ok(()) => Line {
            what: "BPF programs".to_owned(),
            state: "ok",
            detail: "load and attach: CPU time of every thread is measured at every switch"
                .to_owned(),
            remedy: None,
        },
        Err(error) => Line {
            what: "BPF programs".to_owned(),
            state: "missing",
            detail: error.to_string(),
            remedy: matches!(error, ProbeError::Permission { .. })
                .then(|| "sudo energy-prof doctor".to_owned()),
        },
    };
    let btf = if bpf.btf {
        Line {
            what: "kernel type information".to_owned(),
            state: "ok",
            detail: "/sys/kernel/btf/vmlinux: forks and cgroup changes are seen as they happen"
                .to_owned(),
            remedy: None,
        }
    } else {
        Line {
            what: "kernel type information".to_owned(),
            state: "degraded",
            detail: "no readable /sys/kernel/btf/vmlinux: processes are named from /proc and at exec and \
                     exit, and threads that live less than a window may stay unnamed"
                .to_owned(),
            remedy: Some("use a kernel built with CONFIG_DEBUG_INFO_BTF=y".to_owned()),
        }
    };
    let mut lines = vec![attached, btf];
    if bpf.attached.is_ok() {
        lines.push(about_stacks(bpf));
        lines.push(about_callers(bpf));
    }
    if !bpf.host_pids {
        lines.push(Line {
            what: "pid namespace".to_owned(),
            state: "missing",
            detail: "this is a container's pid namespace, and the kernel tells the host's pids"
                .to_owned(),
            remedy: Some(
                "run energy-prof on the host, or the container with --pid=host".to_owned(),
            ),
        });
    }
    lines
}

fn about_stacks(bpf: &BpfSupport) -> Line {
    let what = "stacks".to_owned();
    match &bpf.stacks {
        Ok(SamplingEvent::Cycles) => Line {
            what,
            state: "ok",
            detail: "sampled by hardware cycles, which leave idle CPUs asleep".to_owned(),
            remedy: None,
        },
        Ok(SamplingEvent::CpuClock) => Line {
            what,
            state: "degraded",
            detail: "sampled by the kernel's clock, which wakes idle CPUs 99 times a second: this \
                     machine has no hardware counter of cycles"
                .to_owned(),
            remedy: Some("record with a lower -F, or --no-stacks, where that matters".to_owned()),
        },
        Err(error) => Line { what, state: "missing", detail: error.to_string(), remedy: None },
    }
}

fn about_callers(bpf: &BpfSupport) -> Line {
    let what = "callers in programs without frame pointers".to_owned();
    match &bpf.copies {
        Ok(()) => Line {
            what,
            state: "ok",
            detail: "record --call-graph dwarf finds them".to_owned(),
            remedy: None,
        },
        Err(error) => Line { what, state: "missing", detail: error.to_string(), remedy: None },
    }
}

fn about_cgroups() -> Line {
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    Line {
        what: "cgroups".to_owned(),
        state: if unified { "ok" } else { "degraded" },
        detail: if unified {
            "unified hierarchy: containers and units are named even when they are short-lived"
        } else {
            "version-1 hierarchies: containers and units are named from /proc while they live"
        }
        .to_owned(),
        remedy: (!unified)
            .then(|| "boot with systemd.unified_cgroup_hierarchy=1, where possible".to_owned()),
    }
}

fn text(report: &Report, color: bool) -> String {
    use std::fmt::Write;

    let paint = |state: &str| -> String {
        let code = match state {
            "ok" => "32",
            "degraded" => "33",
            _ => "31",
        };
        let padded = format!("{state:<9}");
        if color { format!("\x1b[{code}m{padded}\x1b[0m") } else { padded }
    };
    let mut out = String::new();
    let machine = report.cpu_model.as_deref().unwrap_or("unknown processor");
    let vm = report.virtualisation.as_deref().map(|name| format!(", virtual machine ({name})"));
    let _ = writeln!(
        out,
        "{}: {machine}, {} CPUs, Linux {}{}\n",
        report.tool,
        report.cpus,
        report.kernel,
        vm.unwrap_or_default()
    );
    for line in &report.findings {
        let _ = writeln!(out, "{} {}: {}", paint(line.state), line.what, line.detail);
        if let Some(remedy) = &line.remedy {
            let _ = writeln!(out, "{:9}   to mend it: {remedy}", "");
        }
    }
    let verdict = match (report.can_record, report.measured) {
        (true, true) => "`record` works here, with MEASURED energy.",
        (true, false) => {
            "`record` works here, with ESTIMATED energy: nothing measures it on this machine."
        }
        (false, _) => "`record` does not work here yet: see above.",
    };
    let _ = writeln!(out, "\n{verdict}");
    out
}
