//! What those that ran in a window weigh, found once for all domains that share by it.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::model::Model;
use super::rounding::sum;
use crate::model::{DomainId, Residency, ThreadId};

/// What threads weigh.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// Ascending by thread.
    pub threads: Vec<(ThreadId, u64)>,
    /// The same without the threads.
    pub plain: Vec<u64>,
    /// What they add up to.
    pub total: u128,
}

impl Weights {
    /// As the model weighs what ran where a domain's energy was drawn.
    pub(super) fn new(model: &dyn Model, domain: DomainId, ran: &[Residency]) -> Self {
        let threads = model.weights(domain, ran);
        let plain: Vec<u64> = threads.iter().map(|(_, weight)| *weight).collect();
        let total = sum(&plain);
        Self { threads, plain, total }
    }
}

/// All that ran in a window, ascending by thread and CPU.
#[derive(Debug)]
pub(super) struct Ran<'a> {
    rows: Cow<'a, [Residency]>,
    /// Where the model weighs alike for every domain, once one has asked.
    weights: OnceCell<Weights>,
}

impl<'a> Ran<'a> {
    /// These rows.
    pub(super) fn new(rows: Cow<'a, [Residency]>) -> Self {
        Self { rows, weights: OnceCell::new() }
    }

    /// Of all CPUs.
    pub(super) fn rows(&self) -> &[Residency] {
        &self.rows
    }

    /// What all of them weigh in the energy of a domain.
    pub(super) fn weights(&self, model: &dyn Model, domain: DomainId) -> Cow<'_, Weights> {
        let find = || Weights::new(model, domain, &self.rows);
        if model.weighs_alike() {
            Cow::Borrowed(self.weights.get_or_init(find))
        } else {
            Cow::Owned(find())
        }
    }
}
