//! A recording in memory, written to disk as `record` would.

use std::path::Path;

use energy_prof::model::{EnergySample, Residency, StackSample};
use energy_prof::trace::{
    Batch, Clock, Existing, Host, SamplingInfo, Session, SessionState, SourceInfo, Target,
    TraceWriter,
};

use super::in_memory::{InMemory, PACKAGE};

/// Writes `recording` window by window, and seals it now and then.
pub(crate) fn write(recording: &InMemory, directory: &Path) {
    let first = &recording.windows[0];
    let session = Session {
        host: Host {
            hostname: recording.facts.hostname.clone(),
            kernel: recording.facts.kernel.clone(),
            cpu_model: recording.facts.cpu_model.clone(),
            cpus: recording.facts.cpus,
            ..Host::default()
        },
        topology: recording.topology.clone(),
        clock: Clock {
            monotonic_start_ns: first.start.nanos(),
            utc_start_ns: first.start_utc.epoch_nanos(),
        },
        window_ns: recording.facts.window.get(),
        sources: vec![SourceInfo {
            name: recording.facts.sources[0].name.clone(),
            provenance: recording.provenance,
            domains: vec![PACKAGE],
            idle: Vec::new(),
            note: None,
        }],
        target: Target::All,
        sampling: Some(SamplingInfo::default()),
        ..Session::default()
    };
    let mut writer = TraceWriter::create(directory, Existing::KeepAsOld, None, &session).unwrap();
    let mut names = Batch {
        threads: recording.threads.iter().map(|(id, info)| (*id, info.clone())).collect(),
        stacks: recording.stacks.clone(),
        ..Batch::default()
    };
    for windows in recording.windows.chunks(50) {
        let (first, last) = (windows[0].index, windows[windows.len() - 1].index);
        let here = |window: u32| (first..=last).contains(&window);
        let of_energy = |it: &&EnergySample| here(it.window);
        let of_residency = |it: &&Residency| here(it.window);
        let of_samples = |it: &&StackSample| here(it.window);
        writer.append(Batch {
            windows: windows.to_vec(),
            energy: recording.energy.iter().filter(of_energy).cloned().collect(),
            residency: recording.residency.iter().filter(of_residency).copied().collect(),
            samples: recording.samples.iter().filter(of_samples).copied().collect(),
            ..std::mem::take(&mut names)
        });
        writer.seal().unwrap();
    }
    writer.finish(&Session { state: SessionState::Complete, ..session }).unwrap();
}
