//! Dividing a graphics card's energy among the processes that used it, by the time their kernels ran on its
//! multiprocessors (SM). What nothing tells of is nobody's: it is never given to whoever is there.

use std::ops::AddAssign;

use super::rounding::{errors_of_parts, split_by, sum};
use crate::model::{AttributedSample, Component, DomainId, ThreadId};
use crate::units::Microjoules;

/// Who used a graphics card in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardUse {
    /// The card.
    pub domain: DomainId,
    /// Its users; none where nobody used it, and `None` where nothing tells.
    pub users: Option<Vec<CardUser>>,
}

/// A process that used a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardUser {
    /// The thread that is charged for it; `None` where the recording does not know the process.
    pub thread: Option<ThreadId>,
    /// Percent of the time in which its kernels ran.
    pub sm_percent: u8,
}

/// A card's energy above idle that is charged to nobody, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nobodys {
    /// Nothing told who used the card.
    pub untold: Microjoules,
    /// Nobody used its multiprocessors.
    pub unused: Microjoules,
    /// It was used by processes that the recording does not know.
    pub strangers: Microjoules,
}

impl Nobodys {
    /// All of it.
    pub fn sum(&self) -> Microjoules {
        self.untold + self.unused + self.strangers
    }
}

impl AddAssign for Nobodys {
    fn add_assign(&mut self, other: Self) {
        self.untold += other.untold;
        self.unused += other.unused;
        self.strangers += other.strangers;
    }
}

impl CardUse {
    /// Whether it is known that nobody used the card.
    pub(super) fn is_unused(&self) -> bool {
        let users = self.users.as_deref();
        users.is_some_and(|users| users.iter().all(|user| user.sm_percent == 0))
    }

    /// Divides the energy above idle. The charges, ascending by thread, and what is nobody's add up to it.
    pub(super) fn divide(
        &self,
        window: u32,
        active: Microjoules,
        error: Microjoules,
    ) -> (Vec<AttributedSample>, Nobodys) {
        let Some(users) = &self.users else {
            return (Vec::new(), Nobodys { untold: active, ..Nobodys::default() });
        };
        let mut users = users.clone();
        users.sort_unstable_by_key(|user| user.thread);
        users.dedup_by(|next, kept| {
            let same = next.thread == kept.thread;
            if same {
                kept.sm_percent = kept.sm_percent.saturating_add(next.sm_percent);
            }
            same
        });
        let weights: Vec<u64> = users.iter().map(|user| u64::from(user.sm_percent)).collect();
        let total = sum(&weights);
        let Some(parts) = split_by(active.get(), &weights, total) else {
            return (Vec::new(), Nobodys { unused: active, ..Nobodys::default() });
        };
        let errors = errors_of_parts(error.get(), &weights, total);
        let mut samples = Vec::with_capacity(users.len());
        let mut nobodys = Nobodys::default();
        for (index, user) in users.iter().enumerate() {
            let energy = Microjoules::new(parts[index]);
            let Some(thread) = user.thread else {
                nobodys.strangers += energy;
                continue;
            };
            if weights[index] == 0 {
                continue;
            }
            samples.push(AttributedSample {
                window,
                thread,
                domain: self.domain,
                component: Component::Active,
                energy,
                error: Microjoules::new(errors[index]),
            });
        }
        (samples, nobodys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;

    const ACTIVE: Microjoules = Microjoules::new(1_000_001);

    fn divided(users: Option<&[(Option<u32>, u8)]>) -> (Vec<(u32, u64)>, Nobodys) {
        let user = |(thread, sm_percent): &(Option<u32>, u8)| CardUser {
            thread: thread.map(ThreadId),
            sm_percent: *sm_percent,
        };
        let card = CardUse {
            domain: DomainId::of_socket(Domain::Gpu, 1),
            users: users.map(|users| users.iter().map(user).collect()),
        };
        let (samples, nobodys) = card.divide(7, ACTIVE, Microjoules::new(1000));
        (samples.iter().map(|sample| (sample.thread.0, sample.energy.get())).collect(), nobodys)
    }

    #[test]
    fn sixty_and_twenty_percent_are_three_quarters_and_one() {
        let (charges, nobodys) = divided(Some(&[(Some(9), 20), (Some(4), 60)]));
        assert_eq!(charges, [(4, 750_001), (9, 250_000)]);
        assert_eq!(nobodys, Nobodys::default());
    }

    #[test]
    fn a_single_user_is_not_charged_for_strangers() {
        let (charges, nobodys) = divided(Some(&[(Some(4), 10), (None, 20), (None, 10)]));
        assert_eq!(charges, [(4, 250_000)]);
        assert_eq!(nobodys, Nobodys { strangers: Microjoules::new(750_001), ..Nobodys::default() });
    }

    #[test]
    fn what_nothing_tells_of_and_what_nobody_used_are_nobodys() {
        let (charges, nobodys) = divided(None);
        assert_eq!((charges, nobodys.untold), (Vec::new(), ACTIVE));
        let (charges, nobodys) = divided(Some(&[(Some(4), 0)]));
        assert_eq!((charges, nobodys.unused), (Vec::new(), ACTIVE));
    }
}
