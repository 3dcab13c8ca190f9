//! The software carbon intensity of what is exported: of all of it, and of the recording's targets.

use super::Subject;
use crate::emissions::{Footprint, Sci};
use crate::profile::ViewOptions;
use crate::units::{KilowattHours, Share};

impl Subject<'_> {
    /// What it comes to, embodied emissions apart.
    pub(super) fn footprint(&self) -> Footprint {
        let profile = self.profile;
        Footprint::of(profile.total().measured, self.site).lasting(profile.span.duration, self.site)
    }

    /// Operational and embodied emissions of all that was recorded.
    pub(super) fn sci(&self) -> Sci {
        let footprint = self.footprint();
        Sci {
            operational: footprint.emissions,
            embodied: footprint.embodied.map(|part| part.emissions),
        }
    }

    /// The same of the targets, by their energy; `None` where none were chosen.
    pub(super) fn sci_of_targets(&self) -> Option<Sci> {
        let view = self.profile.view(&ViewOptions::default(), &|_| None);
        let (energy, _) = view.targets?;
        let share = Share::of(energy.get(), self.profile.total().measured.get())?;
        let emitted = |per_kilowatt_hour| KilowattHours::from(energy) * per_kilowatt_hour;
        Some(Sci {
            operational: self.site.intensity_of_it().map(emitted),
            embodied: self.sci().embodied.map(|embodied| embodied * share.get()),
        })
    }
}
