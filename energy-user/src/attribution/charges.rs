//! The charges of a domain that CPUs feed, in one window: active energy as the model weighs what ran,
//! and idle energy as the policy has it.

use super::Rules;
use super::doubt::Doubt;
use super::rounding::{share_rounded_up, split};
use crate::model::{AttributedSample, Component, EnergySample, Residency, ThreadId, Window};
use crate::units::Microjoules;

/// What a domain's energy comes to in charges.
#[derive(Debug, Default)]
pub(super) struct Charges {
    /// Ascending by thread and component.
    pub samples: Vec<AttributedSample>,
    /// How uncertain the model makes each of `samples`.
    pub doubt: Doubt,
    /// What lost time is charged with.
    pub unattributed: Microjoules,
    /// What of all this is idle energy.
    pub shared_idle: Microjoules,
}

impl Charges {
    /// Of a window in which the domain drew `active` above idle and `idle` besides, where `ran` is what
    /// ran on the CPUs that feed it, ascending by thread. Where nothing ran, nothing is charged.
    pub(super) fn of(
        window: &Window,
        sample: &EnergySample,
        active: Microjoules,
        idle: Microjoules,
        ran: &[Residency],
        rules: &Rules<'_>,
    ) -> Self {
        let weights = rules.model.weights(sample.domain, ran);
        let plain: Vec<u64> = weights.iter().map(|(_, weight)| *weight).collect();
        let Some(of_active) = split(active.get(), &plain) else { return Self::default() };
        let of_idle = rules.idle.divide(idle, &weights);
        let doubt = rules.model.doubt(sample.domain, window, active, &weights);
        let total: u128 = plain.iter().copied().map(u128::from).sum();
        let error = sample.error.or(sample.energy).unwrap_or_default().get();
        let mut charges = Self::default();
        charges.samples.reserve(weights.len());
        for (index, &(thread, weight)) in weights.iter().enumerate() {
            let charge = |component, energy, error: u64| AttributedSample {
                window: window.index,
                thread,
                domain: sample.domain,
                component,
                energy: Microjoules::new(energy),
                error: Microjoules::new(error),
            };
            if active > Microjoules::ZERO {
                // A part is less than one unit away from its exact share.
                let error = share_rounded_up(error, weight, total).saturating_add(1);
                charges.add(charge(Component::Active, of_active[index], error), doubt.of(index));
            }
            if let Some(parts) = &of_idle {
                charges.shared_idle += Microjoules::new(parts[index]);
                charges.add(charge(Component::Idle, parts[index], 1), &doubt.nothing());
            }
        }
        charges
    }

    /// What is charged to threads.
    pub(super) fn attributed(&self) -> Microjoules {
        self.samples.iter().map(|sample| sample.energy).sum()
    }

    fn add(&mut self, charge: AttributedSample, doubt: &[f64]) {
        if charge.thread == ThreadId::LOST {
            self.unattributed += charge.energy;
        } else {
            self.samples.push(charge);
            self.doubt.push(doubt);
        }
    }
}
