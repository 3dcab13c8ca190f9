//! A log, imported: what became of it, and what the trace tells.

use std::fs;
use std::path::PathBuf;

use energy_prof::import::{FormatChoice, ImportError, ImportOptions, Missing, import};
use energy_prof::model::{CounterFlags, DomainId, EnergySample, Provenance, Window};
use energy_prof::trace::TraceReader;
use energy_prof::units::Microjoules;
use tempfile::TempDir;

/// A log that a tool wrote, or that looks like it: `tests/fixtures/import`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/import").join(name)
}

/// The trace of a log.
pub(crate) struct ImportedTrace {
    _root: TempDir,
    pub(crate) reader: TraceReader,
}

/// Imports the bytes of a log.
pub(crate) fn import_with(
    log: impl AsRef<[u8]>,
    missing: Missing,
    format: Option<FormatChoice>,
) -> Result<ImportedTrace, ImportError> {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("the.log");
    fs::write(&path, log).unwrap();
    let output = root.path().join("energy.trace");
    let options = ImportOptions {
        log: path,
        output: output.clone(),
        missing,
        format,
        ..ImportOptions::default()
    };
    import(&options)?;
    Ok(ImportedTrace { reader: TraceReader::open(&output).unwrap(), _root: root })
}

/// Imports a log that says all there is to say.
#[track_caller]
pub(crate) fn imported(log: impl AsRef<[u8]>) -> ImportedTrace {
    match import_with(log, Missing::default(), None) {
        Ok(imported) => imported,
        Err(error) => panic!("{error}"),
    }
}

/// Why a log is refused.
#[track_caller]
pub(crate) fn refused(log: impl AsRef<[u8]>) -> String {
    match import_with(log, Missing::default(), None) {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

impl ImportedTrace {
    pub(crate) fn of_fixture(name: &str) -> Self {
        imported(fs::read(fixture(name)).unwrap())
    }

    pub(crate) fn windows(&self) -> Vec<Window> {
        self.reader.windows().unwrap()
    }

    /// The lengths of the windows in milliseconds.
    pub(crate) fn lengths_ms(&self) -> Vec<u64> {
        self.windows().iter().map(|window| window.length().get() / 1_000_000).collect()
    }

    fn samples(&self, domain: &str) -> Vec<EnergySample> {
        let domain: DomainId = domain.parse().unwrap();
        let all = self.reader.energy().unwrap().into_iter();
        all.filter(|sample| sample.domain == domain).collect()
    }

    /// The names of the domains there are.
    pub(crate) fn domains(&self) -> Vec<String> {
        let mut domains: Vec<DomainId> =
            self.reader.energy().unwrap().iter().map(|sample| sample.domain).collect();
        domains.sort_unstable();
        domains.dedup();
        domains.iter().map(ToString::to_string).collect()
    }

    /// A domain's energy window by window in microjoules.
    pub(crate) fn energy_uj(&self, domain: &str) -> Vec<Option<u64>> {
        self.samples(domain).iter().map(|sample| sample.energy.map(Microjoules::get)).collect()
    }

    /// A domain's known energy in microjoules.
    pub(crate) fn sum_uj(&self, domain: &str) -> u64 {
        self.energy_uj(domain).into_iter().flatten().sum()
    }

    /// A domain's flags window by window.
    pub(crate) fn flags(&self, domain: &str) -> Vec<CounterFlags> {
        self.samples(domain).iter().map(|sample| sample.flags).collect()
    }

    /// What kind of figures a domain has.
    #[track_caller]
    pub(crate) fn provenance(&self, domain: &str) -> Provenance {
        let samples = self.samples(domain);
        let first = samples.first().unwrap().provenance;
        assert!(samples.iter().all(|sample| sample.provenance == first));
        first
    }

    /// What its reader is told.
    pub(crate) fn notes(&self) -> String {
        let sources = self.reader.session().sources.iter();
        sources.filter_map(|source| source.note.clone()).collect::<Vec<_>>().join("; ")
    }
}
