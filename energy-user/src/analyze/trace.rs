//! A trace on disk, as a recording that can be analysed.

use std::collections::BTreeMap;

use super::Recording;
use crate::emissions::{RECORDED, SiteOptions};
use crate::model::{
    Counted, EnergySample, GpuSample, Residency, Stack, StackId, StackSample, ThreadId, ThreadInfo,
    Topology, Window,
};
use crate::profile::{BpfFacts, CalibrationFacts, Facts, ImportFacts, SourceFacts, Targets};
use crate::trace::{Ending, Session, Target, TraceError, TraceReader};
use crate::units::{Nanoseconds, Share, WallTime};

impl Recording for TraceReader {
    type Error = TraceError;

    fn facts(&self) -> Facts {
        let ending = self.ending();
        let facts =
            facts(self.session(), ending.to_string(), matches!(ending, Ending::Complete(_)));
        Facts { findings: self.findings().iter().map(ToString::to_string).collect(), ..facts }
    }

    fn topology(&self) -> &Topology {
        &self.session().topology
    }

    fn windows(&self) -> Result<Vec<Window>, TraceError> {
        self.windows()
    }

    fn energy(&self) -> Result<Vec<EnergySample>, TraceError> {
        self.energy()
    }

    fn gpu(&self) -> Result<Vec<GpuSample>, TraceError> {
        self.gpu()
    }

    fn threads(&self) -> Result<BTreeMap<ThreadId, ThreadInfo>, TraceError> {
        self.threads()
    }

    fn residency(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<Residency>, TraceError>> + Send, TraceError> {
        self.residency()
    }

    fn residency_parts(
        &self,
    ) -> Result<Vec<impl Iterator<Item = Result<Vec<Residency>, TraceError>> + Send>, TraceError>
    {
        self.residency_parts()
    }

    fn counts(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<Counted>, TraceError>> + Send, TraceError> {
        self.counts()
    }

    fn samples(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<StackSample>, TraceError>> + Send, TraceError> {
        self.samples()
    }

    fn stacks(
        &self,
    ) -> Result<impl Iterator<Item = Result<Vec<(StackId, Stack)>, TraceError>>, TraceError> {
        self.stack_batches()
    }
}

/// What was said of the site when it was recorded. What makes no sense is left out.
fn site(options: &BTreeMap<String, String>) -> SiteOptions {
    let mut site = SiteOptions::default();
    for name in SiteOptions::NAMES {
        let file = options.get(&format!("{name}-from"));
        let by = file.map_or_else(|| RECORDED.to_owned(), |file| format!("{file}, {RECORDED}"));
        // A later version may write what this one cannot read.
        let _ = options.get(name).map(|text| site.set(name, text, &by));
    }
    site
}

fn facts(session: &Session, ending: String, complete: bool) -> Facts {
    Facts {
        tool: session.tool.clone(),
        hostname: session.host.hostname.clone(),
        kernel: session.host.kernel.clone(),
        cpu_model: session.host.cpu_model.clone(),
        cpus: session.host.cpus,
        virtualisation: session.host.virtualisation.clone(),
        window: Nanoseconds::new(session.window_ns),
        call_graph: session.sampling.as_ref().and_then(|sampling| sampling.call_graph.clone()),
        sources: session
            .sources
            .iter()
            .map(|source| SourceFacts {
                name: source.name.clone(),
                provenance: source.provenance,
                idle: source.idle.iter().map(|idle| (idle.domain, idle.watts)).collect(),
                note: source.note.clone(),
            })
            .collect(),
        targets: match &session.target {
            Target::All => Targets::All,
            Target::Pids { pids } => Targets::Pids(pids.clone()),
            Target::Command { argv, pid } => Targets::Command { argv: argv.clone(), pid: *pid },
        },
        recorder_tgid: session.recorder_tgid,
        site: site(&session.options),
        ending,
        complete,
        exit_code: session.exit_code,
        losses: session.losses,
        discrete_cards: session.discrete_cards.clone(),
        findings: Vec::new(),
        bpf: session
            .bpf
            .map(|bpf| BpfFacts { runs: bpf.runs, run_time: Nanoseconds::new(bpf.run_time_ns) }),
        calibration: session.calibration.and_then(|calibration| {
            let taken = WallTime::from_epoch_nanos(calibration.taken_utc_ns);
            Some(CalibrationFacts { taken, busy: Share::new(calibration.busy_share)? })
        }),
        imported: session.imported.as_ref().map(|log| ImportFacts {
            format: log.format.clone(),
            tool: log.tool.clone(),
            file: log.file.clone(),
        }),
    }
}
