//! Counters of single cores in words: there may be hundreds, so that those of a socket are told of together.

use std::collections::BTreeMap;

use super::scale;
use crate::model::DomainId;
use crate::profile::{DomainAccount, Profile};
use crate::units::{Microjoules, Watts};

/// The cores of one socket that are part of another domain and not of the total.
pub(super) struct Cores<'a> {
    /// `core-0-*`.
    pub name: String,
    accounts: Vec<&'a DomainAccount>,
}

/// Whether [`cores`] tells of a domain, and it needs no line of its own.
pub(super) const fn is_told_together(domain: DomainId, account: &DomainAccount) -> bool {
    domain.is_one_core() && !account.in_total
}

/// The single cores of each socket.
pub(super) fn cores(profile: &Profile) -> Vec<Cores<'_>> {
    let mut sockets: BTreeMap<Option<u16>, Vec<&DomainAccount>> = BTreeMap::new();
    for (domain, account) in &profile.domains {
        if is_told_together(*domain, account) {
            sockets.entry(domain.socket).or_default().push(account);
        }
    }
    let name = |socket: Option<u16>| socket.map_or("core-*".to_owned(), |n| format!("core-{n}-*"));
    sockets.into_iter().map(|(socket, accounts)| Cores { name: name(socket), accounts }).collect()
}

impl Cores<'_> {
    /// `8 cores`.
    pub(super) fn count(&self) -> String {
        match self.accounts.len() {
            1 => "1 core".to_owned(),
            count => format!("{count} cores"),
        }
    }

    /// What they drew, and how much that is on average.
    pub(super) fn energy_and_power(&self) -> (String, String) {
        let known = self.accounts.iter().filter(|account| account.known > 0);
        let powers =
            known.clone().map(|account| account.ledger.measured.joules() / account.covered);
        let energy: Microjoules = known.map(|account| account.ledger.measured).sum();
        (scale::energy(energy), scale::power(Watts::new(powers.map(Watts::get).sum())))
    }

    /// Who counted it.
    pub(super) fn source(&self) -> &str {
        self.accounts.first().map_or("", |account| &account.source)
    }

    /// What they draw without load in all, and of how many that is known.
    pub(super) fn idle(&self) -> (Watts, String) {
        let known: Vec<f64> = self
            .accounts
            .iter()
            .filter_map(|account| account.baseline.power().map(Watts::get))
            .collect();
        let all = self.accounts.len();
        let told = if known.len() == all {
            format!("{}, each by itself", self.count())
        } else {
            format!(
                "{} of {}; that of the others is unknown and not taken away",
                known.len(),
                self.count()
            )
        };
        (Watts::new(known.iter().sum()), told)
    }

    /// In how many windows a core's energy is unknown, of the core with the most; `None` where there is none.
    pub(super) fn gaps(&self) -> Option<u64> {
        self.accounts.iter().map(|account| account.gaps).max().filter(|gaps| *gaps > 0)
    }
}

/// Which packages were divided by their cores' counters, and in how many windows.
pub(super) fn divided_by_core(profile: &Profile) -> Vec<String> {
    let by_core = profile.domains.iter().filter(|(_, account)| account.by_core > 0);
    by_core
        .map(|(domain, account)| {
            format!(
                "{domain}: in {} of {} windows what its cores drew, {} in all, goes by their own counters to what ran on \
                 them; the model divides the rest",
                account.by_core,
                account.known,
                scale::energy(drawn_by_cores(profile, *domain)),
            )
        })
        .collect()
}

/// What the cores of a package drew above idle.
fn drawn_by_cores(profile: &Profile, package: DomainId) -> Microjoules {
    let cores = profile.domains.iter().filter(|(domain, _)| package.contains(**domain));
    cores.map(|(_, account)| account.ledger.attributed).sum()
}
