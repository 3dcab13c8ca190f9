//! A recording divided window by window, for a machine whose idle power is known.

use std::collections::BTreeMap;

use energy_prof::attribution::{
    AttributedWindow, Baselines, IdleRule, Rules, TimeShare, attribute_window,
};
use energy_prof::model::{DomainId, EnergySample, Residency, ThreadId, ThreadInfo, Window};
use energy_prof::trace::TraceReader;
use energy_prof::units::Watts;

/// One window: what was recorded of it, and how its energy was divided.
pub(crate) struct DividedWindow {
    pub(crate) window: Window,
    pub(crate) energy: Vec<EnergySample>,
    pub(crate) residency: Vec<Residency>,
    pub(crate) divided: AttributedWindow,
}

/// All windows, in order, and who the threads were.
pub(crate) struct Divided {
    pub(crate) windows: Vec<DividedWindow>,
    pub(crate) threads: BTreeMap<ThreadId, ThreadInfo>,
}

impl Divided {
    /// Divides a trace by time, with so many watts of idle power in each domain.
    pub(crate) fn of(reader: &TraceReader, idle: &[(DomainId, f64)]) -> Self {
        let mut energy: BTreeMap<u32, Vec<EnergySample>> = BTreeMap::new();
        for sample in reader.energy().unwrap() {
            energy.entry(sample.window).or_default().push(sample);
        }
        let mut residency: BTreeMap<u32, Vec<Residency>> = BTreeMap::new();
        for row in reader.residency().unwrap().flat_map(Result::unwrap) {
            residency.entry(row.window).or_default().push(row);
        }
        let given = idle.iter().map(|(domain, watts)| (*domain, Watts::new(*watts))).collect();
        let rules = Rules {
            topology: &reader.session().topology,
            baselines: &Baselines::given(&given),
            model: &TimeShare,
            idle: IdleRule::Separate,
        };
        let divide = |window: Window| {
            let energy = energy.remove(&window.index).unwrap();
            let residency = residency.remove(&window.index).unwrap();
            let divided = attribute_window(&window, &energy, &residency, &rules);
            DividedWindow { window, energy, residency, divided }
        };
        Self {
            windows: reader.windows().unwrap().into_iter().map(divide).collect(),
            threads: reader.threads().unwrap(),
        }
    }

    /// Microjoules of a domain that a window charges to the threads chosen by `choose`.
    pub(crate) fn charged_uj(
        &self,
        window: &DividedWindow,
        domain: DomainId,
        choose: impl Fn(&ThreadInfo) -> bool,
    ) -> u64 {
        let of_domain = window.divided.domains.iter().filter(|divided| divided.domain == domain);
        let charges = of_domain.flat_map(|divided| &divided.samples);
        let chosen = charges.filter(|charge| choose(&self.threads[&charge.thread]));
        chosen.map(|charge| charge.energy.get()).sum()
    }
}
