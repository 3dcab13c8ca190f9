//! Which sources a machine has, what is missing, and what would make it better.

use std::path::{Path, PathBuf};

use super::{
    EnergySource, Finding, HostFacts, OpenEvent, PowerModel, SourceChoice, nvml, rapl_core,
    rapl_msr,
};

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// Read powercap zones under this directory and nothing else; the default is `class/powercap` of
    /// [`Self::sysfs`].
    pub powercap_root: Option<PathBuf>,
    /// Where sysfs is; the default is `/sys`.
    pub sysfs: Option<PathBuf>,
    /// Where devices are, for the registers of CPUs; the default is `/dev`, and none where [`Self::sysfs`] is
    /// another machine's.
    pub dev: Option<PathBuf>,
    /// Where NVIDIA's library of cards is, a path or a name; the default is the driver's, and none where
    /// [`Self::sysfs`] is another machine's.
    pub nvml_library: Option<PathBuf>,
    /// Which source is wanted.
    pub choice: SourceChoice,
    /// Whether the counters of single cores are wanted besides, whose reading wakes them.
    pub core_counters: bool,
}

/// What there is to measure or to estimate with.
pub struct Discovery {
    /// Counters, ready to be read. Of two that tell of one domain, the first is to be believed.
    pub sources: Vec<Box<dyn EnergySource>>,
    /// The model, where no counter tells what processors draw, or where it was asked for. Where a root or a source was named and
    /// has no counter there is neither: an estimate is not what was asked for, and the findings say why.
    pub model: Option<PowerModel>,
    /// What was found out on the way, for people.
    pub findings: Vec<Finding>,
}

/// Where a source looks for its counters.
pub(super) struct Machine<'a> {
    pub sysfs: &'a Path,
    pub dev: Option<&'a Path>,
    pub powercap_root: Option<&'a Path>,
    pub facts: &'a HostFacts,
    pub open_event: &'a OpenEvent<'a>,
    pub choice: SourceChoice,
    pub core_counters: bool,
    pub nvml_library: Option<&'a Path>,
    /// The PCI addresses of the graphics cards found so far, in the order of their numbers.
    pub cards: Vec<String>,
}

/// What looking for one source brought.
#[derive(Default)]
pub(super) struct Sought {
    pub source: Option<Box<dyn EnergySource>>,
    pub findings: Vec<Finding>,
    /// The PCI addresses of graphics cards it has numbered, in order; empty where one is not known.
    pub cards: Vec<String>,
}

/// Looks for sources. `open_event` opens perf events.
pub fn discover(options: &SourceOptions, facts: &HostFacts, open_event: &OpenEvent) -> Discovery {
    let default_library = options.sysfs.is_none().then_some(Path::new(nvml::LIBRARY));
    let default_dev = options.sysfs.is_none().then_some(Path::new("/dev"));
    let mut machine = Machine {
        sysfs: options.sysfs.as_deref().unwrap_or(Path::new("/sys")),
        dev: options.dev.as_deref().or(default_dev),
        powercap_root: options.powercap_root.as_deref(),
        facts,
        open_event,
        choice: options.choice,
        core_counters: options.core_counters,
        nvml_library: options.nvml_library.as_deref().or(default_library),
        cards: Vec::new(),
    };
    let mut findings = Vec::new();
    let mut sources: Vec<Box<dyn EnergySource>> = Vec::new();
    if options.choice == SourceChoice::Model {
        findings
            .push(Finding::ok("energy source", "counters are not read: the model was asked for"));
    }
    for choice in SourceChoice::ALL.into_iter().filter(|choice| options.wants(*choice)) {
        // Of a battery's figure nothing is gained where processors are measured.
        let enough = choice == SourceChoice::Battery && measure_processors(&sources);
        if let Some(seek) = choice.seeker().filter(|_| !enough) {
            let sought = seek(&machine);
            findings.extend(sought.findings);
            sources.extend(sought.source);
            machine.cards.extend(sought.cards);
        }
    }
    if options.core_counters && options.choice != SourceChoice::RaplMsr {
        let sought = rapl_core::seek(&machine);
        findings.extend(sought.findings);
        sources.extend(sought.source);
    } else if options.choice == SourceChoice::Auto && options.powercap_root.is_none() {
        findings.extend(rapl_core::offer(&machine));
    }
    if options.choice == SourceChoice::Auto && options.powercap_root.is_none() {
        findings.extend(rapl_msr::offer(&machine));
    }
    if findings.is_empty() {
        let what = format!("{} energy source", options.choice.name());
        findings.push(Finding::missing(what, "this machine has nothing of that kind"));
    }
    let may_estimate = options.choice == SourceChoice::Auto && options.powercap_root.is_none();
    let estimate =
        options.choice == SourceChoice::Model || (may_estimate && !measure_processors(&sources));
    let model = estimate.then(|| PowerModel::for_host(facts));
    if let Some(model) = &model {
        findings.push(Finding::degraded("energy model", model.note()));
    }
    Discovery { sources, model, findings }
}

/// Whether any counter tells what processors draw, alone or with the rest of the machine.
fn measure_processors(sources: &[Box<dyn EnergySource>]) -> bool {
    let mut counters = sources.iter().flat_map(|source| source.counters());
    counters.any(|spec| spec.domain.domain.is_fed_by_cpus())
}

impl SourceOptions {
    /// Whether this source is to be looked for. Whoever names a root wants its zones, whoever names a library
    /// its cards; registers are read for nobody who does not name them.
    fn wants(&self, source: SourceChoice) -> bool {
        match self.choice {
            SourceChoice::Auto if self.powercap_root.is_some() => {
                source == SourceChoice::RaplPowercap
                    || (source == SourceChoice::Nvml && self.nvml_library.is_some())
            }
            SourceChoice::Auto => source != SourceChoice::RaplMsr,
            chosen => chosen == source,
        }
    }
}
