//! What `report` says of the functions of a recording.

use std::fmt;

use serde_json::Value;

use super::energy_prof::{Place, energy_prof};
use super::outcome::Outcome;

/// `report --json` with these options.
pub(crate) fn report(place: &Place, options: &[&str]) -> Value {
    let mut command = energy_prof();
    command.arg("report").arg(place.trace()).args(["--json", "--top", "0"]).args(options);
    serde_json::from_str(&Outcome::of(&mut command).succeeded().stdout).unwrap()
}

/// The rows of a report.
pub(crate) fn rows(report: &Value) -> &[Value] {
    report["rows"].as_array().unwrap()
}

/// One row of a report by function.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) module: Option<String>,
    /// Microjoules of its own.
    pub(crate) own: u64,
    /// Microjoules with all it called.
    pub(crate) total: u64,
    /// Samples of its own.
    pub(crate) samples: u64,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, module, own, total, samples } = self;
        let module = module.as_deref().unwrap_or("no module");
        write!(f, "{name} ({module}) {own} of {total} µJ, {samples} samples")
    }
}

/// The functions of a recording, or of some of its threads.
pub(crate) fn functions(place: &Place, options: &[&str]) -> Vec<Function> {
    let report = report(place, &[&["--by", "function"], options].concat());
    let code = rows(&report).iter().filter(|row| row["kind"] == "code");
    code.map(|row| Function {
        name: row["name"].as_str().unwrap().to_owned(),
        module: row["module"].as_str().map(ToOwned::to_owned),
        own: row["energy_uj"].as_u64().unwrap(),
        total: row["total_energy_uj"].as_u64().unwrap(),
        samples: row["samples"].as_u64().unwrap(),
    })
    .collect()
}

/// The functions that are of this object.
pub(crate) fn of_module<'a>(
    functions: &'a [Function],
    path: &'a std::path::Path,
) -> impl Iterator<Item = &'a Function> {
    let path = path.to_str().unwrap();
    functions.iter().filter(move |function| function.module.as_deref() == Some(path))
}
