//! `energy-prof simulate-powercap`: RAPL counters that follow real CPU time, for tests and demos.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use energy_prof::probes::count_cpu_time;
use energy_prof::sources::simulated_powercap::{DramPower, Layout, Load, SimulatedPowercap};

use crate::cli::SimulateArguments;
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &SimulateArguments) -> anyhow::Result<Status> {
    let usual = Layout::default();
    let layout = Layout {
        sockets: arguments.sockets,
        dies_per_socket: arguments.dies,
        static_watts: arguments.static_watts,
        loads: arguments
            .watts
            .iter()
            .map(|&(pid, watts)| Load { pid, watts, package: 0 })
            .collect(),
        rest_watts: arguments.rest_watts,
        dram: (arguments.dram_watts > 0.0)
            .then_some(DramPower { static_watts: arguments.dram_watts, watts_per_cpu: 0.0 }),
        register_bits: arguments.register_bits,
        start_uj: arguments.start_uj,
        update_period: arguments.update_period.unwrap_or(usual.update_period),
        keep_history: arguments.history,
        seed: arguments.seed,
        ..usual
    };
    let mut simulated = SimulatedPowercap::create(&arguments.directory, &layout, count_cpu_time)?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_at_signals(&stop, arguments.duration.map(Duration::from))?;
    let directory = arguments.directory.display();
    terminal::say(&format!("simulating powercap zones in {directory}\n"));
    simulated.run_until(&stop)?;
    Ok(Status::SUCCESS)
}

/// Sets `stop` at SIGINT or SIGTERM, or when the time is over.
fn stop_at_signals(stop: &Arc<AtomicBool>, lasts: Option<Duration>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start an event loop; too many files may be open")?;
    let stop = Arc::clone(stop);
    let mut terminate = {
        let _inside = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .context("cannot handle SIGTERM")?
    };
    let wait = move || {
        runtime.block_on(async {
            let over = tokio::time::sleep(lasts.unwrap_or(Duration::MAX));
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                () = over => {}
            }
        });
        stop.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new()
        .name("stop".to_owned())
        .spawn(wait)
        .context("cannot start a thread")?;
    Ok(())
}
