//! The power law of a simulated machine: pure, exact, in microwatts times nanoseconds (femtojoules).

use std::collections::BTreeMap;

use super::{DramPower, Layout, Load, LoadTruth, Truth};
use crate::model::{Domain, DomainId};
use crate::units::Nanoseconds;

/// Femtojoules in a microjoule.
const FJ_PER_UJ: u128 = 1_000_000_000;

/// What a simulated machine has drawn since its start.
#[derive(Debug)]
pub(super) struct PowerLaw {
    packages: Vec<DomainId>,
    static_uw: u128,
    rest_uw: u128,
    /// Static and per CPU second, for each package.
    dram_uw: Option<(u128, u128)>,
    psys_extra_uw: u128,
    loads: Vec<Load>,
    elapsed: Nanoseconds,
    load_cpu: Vec<Nanoseconds>,
    rest_cpu: Nanoseconds,
}

impl PowerLaw {
    pub(super) fn new(layout: &Layout) -> Self {
        let of_dram =
            |dram: DramPower| (microwatts(dram.static_watts), microwatts(dram.watts_per_cpu));
        Self {
            packages: layout.packages(),
            static_uw: microwatts(layout.static_watts),
            rest_uw: microwatts(layout.rest_watts),
            dram_uw: layout.dram.map(of_dram),
            psys_extra_uw: layout.psys.map_or(0, |psys| microwatts(psys.extra_watts)),
            loads: layout.loads.clone(),
            elapsed: Nanoseconds::ZERO,
            load_cpu: vec![Nanoseconds::ZERO; layout.loads.len()],
            rest_cpu: Nanoseconds::ZERO,
        }
    }

    pub(super) fn packages(&self) -> usize {
        self.packages.len()
    }

    /// From now on `load` is no longer part of the rest; its clock begins at 0.
    pub(super) fn add_load(&mut self, load: Load) {
        self.loads.push(load);
        self.load_cpu.push(Nanoseconds::ZERO);
    }

    /// Goes on to `elapsed` after the start, when the loads had spent `load_cpu` and the machine, loads
    /// included, `machine_cpu` of CPU time. Nothing ever goes back: clocks read one after the other may
    /// disagree by a little, and the rest then waits.
    pub(super) fn advance_to(
        &mut self,
        elapsed: Nanoseconds,
        load_cpu: &[Nanoseconds],
        machine_cpu: Nanoseconds,
    ) {
        self.elapsed = self.elapsed.max(elapsed);
        for (mine, now) in self.load_cpu.iter_mut().zip(load_cpu) {
            *mine = (*mine).max(*now);
        }
        let of_loads: Nanoseconds = self.load_cpu.iter().copied().sum();
        self.rest_cpu = self.rest_cpu.max(machine_cpu.saturating_sub(of_loads));
    }

    /// What `domain` has drawn.
    pub(super) fn energy_fj(&self, domain: DomainId) -> u128 {
        let of_package = |index: usize| self.static_fj() + self.active_fj(index);
        let total = |energy: &dyn Fn(usize) -> u128| (0..self.packages.len()).map(energy).sum();
        let index = self
            .packages
            .iter()
            .position(|package| (package.socket, package.die) == (domain.socket, domain.die));
        match (domain.domain, index) {
            (Domain::Package, Some(index)) => of_package(index),
            (Domain::Core, Some(index)) => self.active_fj(index),
            (Domain::Dram, Some(index)) => self.dram_fj(index),
            (Domain::Psys, _) => {
                let packages: u128 = total(&of_package);
                let memory: u128 = total(&|index| self.dram_fj(index));
                packages + memory + self.psys_extra_uw * self.elapsed_ns()
            }
            _ => 0,
        }
    }

    /// The truth so far; its clocks and counts are the caller's to fill in.
    pub(super) fn truth(&self, elapsed: Nanoseconds) -> Truth {
        let loads = self.loads.iter().zip(&self.load_cpu).map(|(load, cpu)| LoadTruth {
            pid: load.pid,
            watts: load.watts,
            package: load.package,
            cpu_ns: cpu.get(),
            microjoules: to_microjoules(microwatts(load.watts) * u128::from(cpu.get())),
        });
        let mut domains = BTreeMap::new();
        let mut add = |domain: DomainId| {
            domains.insert(domain.to_string(), to_microjoules(self.energy_fj(domain)));
        };
        for package in &self.packages {
            add(*package);
            add(DomainId { domain: Domain::Core, ..*package });
            add(DomainId { domain: Domain::Dram, ..*package });
        }
        add(DomainId::of_machine(Domain::Psys));
        let packages = u128::try_from(self.packages.len()).expect("a usize fits into 128 bits");
        Truth {
            elapsed_ns: elapsed.get(),
            loads: loads.collect(),
            rest_cpu_ns: self.rest_cpu.get(),
            rest_microjoules: to_microjoules(self.rest_uw * u128::from(self.rest_cpu.get())),
            static_microjoules: to_microjoules(self.static_fj() * packages),
            domains,
            ..Truth::default()
        }
    }

    fn elapsed_ns(&self) -> u128 {
        u128::from(self.elapsed.get())
    }

    fn static_fj(&self) -> u128 {
        self.static_uw * self.elapsed_ns()
    }

    /// What work drew in a package: its loads, and its share of the rest.
    fn active_fj(&self, package: usize) -> u128 {
        let loads: u128 = self
            .loads_of(package)
            .map(|(load, cpu)| microwatts(load.watts) * u128::from(cpu.get()))
            .sum();
        loads + self.share(self.rest_uw * u128::from(self.rest_cpu.get()), package)
    }

    fn dram_fj(&self, package: usize) -> u128 {
        let Some((static_uw, per_cpu_uw)) = self.dram_uw else { return 0 };
        let loads: u128 = self.loads_of(package).map(|(_, cpu)| u128::from(cpu.get())).sum();
        let rest = self.share(per_cpu_uw * u128::from(self.rest_cpu.get()), package);
        static_uw * self.elapsed_ns() + per_cpu_uw * loads + rest
    }

    fn loads_of(&self, package: usize) -> impl Iterator<Item = (&Load, &Nanoseconds)> {
        let all = self.loads.iter().zip(&self.load_cpu);
        all.filter(move |(load, _)| usize::from(load.package) == package)
    }

    /// A package's equal share of `energy`; the first package has what cannot be divided.
    fn share(&self, energy: u128, package: usize) -> u128 {
        let packages = u128::try_from(self.packages.len()).expect("a usize fits into 128 bits");
        energy / packages + if package == 0 { energy % packages } else { 0 }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the layout's check leaves watts from 0 to 10000"
)]
fn microwatts(watts: f64) -> u128 {
    (watts * 1e6).round() as u128
}

fn to_microjoules(femtojoules: u128) -> u64 {
    u64::try_from(femtojoules / FJ_PER_UJ).expect("18 TJ are more than any test draws")
}

#[cfg(test)]
mod tests {
    use super::super::PsysPower;
    use super::*;

    const SECOND: Nanoseconds = Nanoseconds::from_millis(1000);

    fn load(pid: u32, watts: f64, package: u16) -> Load {
        Load { pid, watts, package }
    }

    #[test]
    fn loads_rest_and_static_power_add_up_to_the_package() {
        let layout = Layout { loads: vec![load(1, 10.0, 0), load(2, 2.5, 0)], ..Layout::default() };
        let mut law = PowerLaw::new(&layout);
        let half = Nanoseconds::from_millis(500);
        law.advance_to(SECOND, &[SECOND, half], SECOND + SECOND);
        let truth = law.truth(SECOND);
        // 5 J static, 10 J and 1.25 J of loads, 4 W × 0.5 s of the rest.
        assert_eq!(truth.domains["package-0"], 18_250_000);
        assert_eq!(truth.static_microjoules, 5_000_000);
        assert_eq!(truth.loads[1].microjoules, 1_250_000);
        assert_eq!(truth.rest_microjoules, 2_000_000);
        assert_eq!(truth.domains["core-0"], 13_250_000);
    }

    #[test]
    fn two_packages_share_the_rest_and_keep_their_loads() {
        let layout = Layout {
            sockets: 2,
            loads: vec![load(1, 10.0, 1)],
            dram: Some(DramPower { static_watts: 1.0, watts_per_cpu: 2.0 }),
            psys: Some(PsysPower { extra_watts: 3.0, whole_joules: false }),
            ..Layout::default()
        };
        let mut law = PowerLaw::new(&layout);
        law.advance_to(SECOND, &[SECOND], SECOND + SECOND);
        let truth = law.truth(SECOND).domains;
        assert_eq!((truth["package-0"], truth["package-1"]), (7_000_000, 17_000_000));
        assert_eq!((truth["dram-0"], truth["dram-1"]), (2_000_000, 4_000_000));
        assert_eq!(truth["psys"], 7_000_000 + 17_000_000 + 6_000_000 + 3_000_000);
    }

    #[test]
    fn energy_never_goes_back_when_clocks_disagree() {
        let mut law = PowerLaw::new(&Layout { loads: vec![load(1, 1.0, 0)], ..Layout::default() });
        law.advance_to(SECOND, &[Nanoseconds::ZERO], SECOND);
        let before = law.energy_fj(law.packages[0]);
        law.advance_to(SECOND, &[SECOND], SECOND);
        assert!(law.energy_fj(law.packages[0]) >= before);
    }
}
