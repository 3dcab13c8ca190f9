//! A package whose cores have counters of their own.
//!
//! What a core drew above its idle power is of those that ran on its one or two CPUs, and no model has to say
//! so. Only the rest of the package, its caches, fabric and memory controller, is shared by all that ran.

use rustc_hash::FxHashMap;

use super::Rules;
use super::charges::{Part, Sharers};
use super::rounding::split;
use crate::model::{DomainId, EnergySample, Residency, Window};
use crate::units::{Joules, Microjoules, Nanoseconds};

/// The active energy of the package that `whole` is the only part of: a part for each of its cores that
/// anything ran on, and the rest, which is for all. As it was where it is no package, or where the energy of
/// any of its cores is unknown: those on the others would pay for that one.
pub(super) fn parted_by_core<'a>(
    package: DomainId,
    whole: Part<'a>,
    window: &Window,
    energy: &[EnergySample],
    rules: &Rules<'_>,
) -> Vec<Part<'a>> {
    let Some(cores) = Cores::of(package, energy, rules) else { return vec![whole] };
    let mut ran: Vec<Vec<Residency>> = vec![Vec::new(); cores.counted.len()];
    for row in whole.ran.rows() {
        if let Some(core) = cores.by_cpu.get(&row.cpu) {
            ran[*core].push(*row);
        }
    }
    let mut parts = Vec::new();
    for ((core, measured, error), ran) in cores.counted.into_iter().zip(ran) {
        if !ran.is_empty() {
            let idle = rules.baselines.energy(core, window.length());
            let energy = measured.checked_sub(idle).unwrap_or(Microjoules::ZERO);
            let ran = Sharers::Some(ran);
            parts.push(Part { energy, error, ran, above_idle_for: Nanoseconds::ZERO });
        }
    }
    let rest = Microjoules::new(not_above(whole.energy.get(), &mut parts));
    let variance: f64 = parts.iter().map(|part| part.error.joules().get().powi(2)).sum();
    let error = whole.error.joules().get().hypot(variance.sqrt());
    let error = Joules::new(error).to_microjoules().max(whole.error);
    parts.push(Part { energy: rest, error, ..whole });
    parts
}

/// Makes the parts no more than `whole`, as idle power of the package may contain what its cores drew
/// without load; gives what is left of it.
fn not_above(whole: u64, parts: &mut [Part<'_>]) -> u64 {
    let energies: Vec<u64> = parts.iter().map(|part| part.energy.get()).collect();
    let sum: u128 = energies.iter().copied().map(u128::from).sum();
    let Some(fewer) = (sum > u128::from(whole)).then(|| split(whole, &energies)).flatten() else {
        return whole - energies.iter().sum::<u64>();
    };
    for (part, energy) in parts.iter_mut().zip(fewer) {
        part.energy = Microjoules::new(energy);
    }
    0
}

/// The cores of a package in one window.
struct Cores {
    /// Each with its energy and the standard error of that.
    counted: Vec<(DomainId, Microjoules, Microjoules)>,
    /// Which of them each CPU of the package is of.
    by_cpu: FxHashMap<u16, usize>,
}

impl Cores {
    /// `None` where there is a core of which the energy is not known.
    fn of(package: DomainId, energy: &[EnergySample], rules: &Rules<'_>) -> Option<Self> {
        let of_package = |domain: DomainId| domain.is_one_core() && package.contains(domain);
        let counted: Option<Vec<_>> = energy
            .iter()
            .filter(|sample| of_package(sample.domain))
            .map(|sample| {
                let measured = sample.energy?;
                Some((sample.domain, measured, sample.error.unwrap_or(measured)))
            })
            .collect();
        let counted = counted.filter(|cores| !cores.is_empty())?;
        let cpus = rules.topology.cpus.iter().filter(|(_, place)| package.holds(**place));
        let by_cpu: Option<_> = cpus
            .map(|(cpu, place)| {
                let core = counted.iter().position(|(core, ..)| core.holds(*place));
                Some((*cpu, core?))
            })
            .collect();
        Some(Self { counted, by_cpu: by_cpu? })
    }
}
