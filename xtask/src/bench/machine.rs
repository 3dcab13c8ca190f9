//! What a figure was measured on, in one line.

use std::fs;
use std::process::Command;

use anyhow::Context;

use crate::command;

/// Processor, CPUs, memory, kernel, what it runs in, and the time.
pub(super) fn line() -> anyhow::Result<String> {
    let cpuinfo = text("/proc/cpuinfo")?;
    let model = field(&cpuinfo, "model name").unwrap_or("unknown processor");
    let cpus = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let memory = text("/proc/meminfo")?;
    let kilobytes: u64 = field(&memory, "MemTotal")
        .and_then(|size| size.split(' ').next()?.parse().ok())
        .context("cannot read MemTotal of /proc/meminfo")?;
    let kernel = text("/proc/sys/kernel/osrelease")?;
    let virtual_machine = if field(&cpuinfo, "flags").is_some_and(|it| it.contains("hypervisor")) {
        ", in a virtual machine"
    } else {
        ""
    };
    let date = command::read(Command::new("date").args(["-u", "+%F %R UTC"]))?;
    Ok(format!(
        "{model}, {cpus} CPUs, {} GiB, Linux {}{virtual_machine}; {}; load average {}",
        kilobytes.div_ceil(1 << 20),
        kernel.trim(),
        date.trim(),
        load()?
    ))
}

/// The load averages of the last 1, 5 and 15 minutes: a busy machine gives noisy figures.
pub(super) fn load() -> anyhow::Result<String> {
    Ok(text("/proc/loadavg")?.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

fn text(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 2\nmodel name\t: AMD EPYC\n";
        assert_eq!(field(text, "model name"), Some("AMD EPYC"));
        assert_eq!(field(text, "name"), None);
    }
}
