//! Programs whose watts are looked for: which thread runs which.
//!
//! A *unit* is one program in one process, from its exec on. Units of the same program can be taken
//! together where one alone did not run for long enough to tell of.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::model::{ThreadId, ThreadInfo};

/// The units of a recording's threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    by_thread: FxHashMap<ThreadId, u32>,
    units: Vec<Unit>,
    names: Vec<String>,
}

/// One program in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit {
    /// Which of the names is its program's.
    program: u32,
    /// The process id.
    pid: u32,
}

impl Programs {
    /// Of the threads that the recording names. A program is known by its path, or else by the name
    /// the kernel has for its thread.
    pub fn new(threads: &BTreeMap<ThreadId, ThreadInfo>) -> Self {
        let mut programs = Self::default();
        let mut known_units: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        let mut known_names: BTreeMap<&str, u32> = BTreeMap::new();
        for (thread, info) in threads.iter().filter(|(thread, _)| **thread >= ThreadId::FIRST) {
            let name = info.exe.as_deref().unwrap_or(&info.comm);
            let program = *known_names.entry(name).or_insert_with(|| {
                programs.names.push(name.to_owned());
                number(programs.names.len() - 1)
            });
            let unit = *known_units.entry((info.tgid, program)).or_insert_with(|| {
                programs.units.push(Unit { program, pid: info.tgid });
                number(programs.units.len() - 1)
            });
            programs.by_thread.insert(*thread, unit);
        }
        programs
    }

    /// The unit a thread runs; `None` where the recording does not name it.
    pub(super) fn unit_of(&self, thread: ThreadId) -> Option<u32> {
        self.by_thread.get(&thread).copied()
    }

    /// The program of a unit.
    pub(super) fn program_of(&self, unit: u32) -> u32 {
        self.units[unit as usize].program
    }

    /// The path of a program, or what else it is known by.
    pub(super) fn path(&self, program: u32) -> &str {
        &self.names[program as usize]
    }

    /// A program's name: the last part of its path.
    pub(super) fn name(&self, program: u32) -> &str {
        let name = self.path(program);
        name.rsplit('/').next().filter(|last| !last.is_empty()).unwrap_or(name)
    }

    /// The process a unit is in.
    pub(super) fn pid(&self, unit: u32) -> u32 {
        self.units[unit as usize].pid
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
