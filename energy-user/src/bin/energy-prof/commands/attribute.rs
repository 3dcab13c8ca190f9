//! `energy-prof attribute`: the divided energy, stored in the trace for other tools.

use energy_prof::analyze::store_attributed;

use super::report::unwrap_trace_error;
use crate::cli::AttributeArguments;
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &AttributeArguments) -> anyhow::Result<Status> {
    let choices = arguments.divide.choices();
    let rows = store_attributed(&arguments.trace, &choices).map_err(unwrap_trace_error)?;
    let table = arguments.trace.join("attributed.parquet");
    terminal::say(&format!("Wrote {} ({rows} rows)\n", table.display()));
    Ok(Status::SUCCESS)
}
