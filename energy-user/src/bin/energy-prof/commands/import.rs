//! `energy-prof import`: a log of another tool becomes a trace.

use energy_prof::analyze::AnalyzeOptions;
use energy_prof::import::{ImportOptions, Missing, import};
use energy_prof::probes::Account;
use energy_prof::report;
use energy_prof::trace::{Existing, Owner};

use super::report::profile_of;
use crate::cli::{Color, ImportArguments};
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &ImportArguments, color: Color) -> anyhow::Result<Status> {
    let account = Account::behind_sudo();
    let options = ImportOptions {
        log: arguments.log.clone(),
        output: arguments.output.clone(),
        existing: if arguments.force { Existing::Overwrite } else { Existing::KeepAsOld },
        owner: account.map(|account| Owner { uid: account.uid, gid: account.gid }),
        format: arguments.format,
        missing: Missing {
            interval: arguments.interval,
            utc_offset_seconds: arguments.utc_offset,
            run: arguments.run.clone(),
        },
    };
    let imported = import(&options)?;
    let profile = profile_of(&arguments.output, &AnalyzeOptions::default())?;
    let color = terminal::colours(color, &std::io::stderr());
    terminal::say(&report::summary(&profile, color, terminal::width()));
    let (path, size) = (arguments.output.display(), report::bytes(imported.size.bytes));
    terminal::say(&format!("Wrote {path} ({size}). Next: energy-prof report {path} --by domain\n"));
    Ok(Status::SUCCESS)
}
