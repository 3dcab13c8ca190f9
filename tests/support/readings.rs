//! What a source's counters show.

use std::collections::BTreeMap;

use energy_prof::sources::EnergySource;
use energy_prof::units::{Microjoules, MonotonicTime};

/// What each counter shows in microjoules, or why not, by the domain's name.
pub(crate) fn shown(source: &mut dyn EnergySource) -> BTreeMap<String, Result<u64, String>> {
    let mut readings = Vec::new();
    source.read(&MonotonicTime::default, &mut readings);
    let domain = |counter: usize| source.counters()[counter].domain.to_string();
    readings
        .into_iter()
        .map(|reading| {
            let value = reading.value.map(Microjoules::get).map_err(|error| error.to_string());
            (domain(reading.counter), value)
        })
        .collect()
}
