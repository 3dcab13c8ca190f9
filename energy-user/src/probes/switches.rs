//! Reading the switch log: which thread left which CPU when, and who runs there now.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use energy_ebpf::switch_log::{CpuLog, GAP, Switch, address_part, key_address, key_tid};

use super::ProbeError;
use super::shared_memory::SharedArray;
use crate::units::MonotonicTime;

/// One thread leaving its CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchRecord {
    /// When.
    pub end: MonotonicTime,
    /// The address of its task, as an opaque name.
    pub address: u64,
    /// Its tid; 0 is the CPU's idle task.
    pub tid: u32,
    /// Whether records before this one were lost: who ran since the record before is unknown.
    pub after_gap: bool,
}

/// A CPU after its records have been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuState {
    /// The address of the task that runs since the last record; `None` before the first record.
    pub running: Option<u64>,
    /// Whether the newest switches are among the lost ones, so that `running` is unknown.
    pub gap: bool,
    /// Switches lost on this CPU since recording began.
    pub lost_switches: u64,
    /// Process events lost on this CPU since recording began.
    pub lost_events: u64,
}

/// The switch log of all CPUs.
pub(super) struct SwitchLog {
    cpus: SharedArray<CpuLog>,
    records: SharedArray<Switch>,
    shift: u32,
    count: u16,
}

impl SwitchLog {
    pub(super) fn map(
        cpus: impl AsFd,
        records: impl AsFd,
        count: u16,
        shift: u32,
    ) -> Result<Self, ProbeError> {
        Ok(Self {
            cpus: SharedArray::map(cpus, usize::from(count))?,
            records: SharedArray::map(records, usize::from(count) << shift)?,
            shift,
            count,
        })
    }

    pub(super) fn cpus(&self) -> u16 {
        self.count
    }

    /// Hands every unread record of `cpu` to `each`, oldest first, and frees their room.
    pub(super) fn read(&self, cpu: u16, mut each: impl FnMut(SwitchRecord)) -> CpuState {
        let log = self.cpus.at(usize::from(cpu));
        let base = usize::from(cpu) << self.shift;
        let mask = (1usize << self.shift) - 1;
        // SAFETY: `log` and the records lie in the mapping. The kernel side writes records before
        // it moves `head`, and never one that `tail` has not passed; words are read atomically.
        unsafe {
            let head_word = AtomicU64::from_ptr(&raw mut (*log).head);
            let tail_word = AtomicU64::from_ptr(&raw mut (*log).tail);
            let head = head_word.load(Ordering::Acquire);
            let tail = tail_word.load(Ordering::Relaxed);
            for number in tail..head {
                #[expect(clippy::cast_possible_truncation, reason = "the mask keeps the low bits")]
                let record = self.records.at(base | (number as usize & mask)).read();
                each(SwitchRecord {
                    end: MonotonicTime::from_nanos(record.end_ns & !GAP),
                    address: key_address(record.task),
                    tid: key_tid(record.task),
                    after_gap: record.end_ns & GAP != 0,
                });
            }
            let slot = &raw mut (*log).next[usize::from(head & 1 == 1)];
            let next = AtomicU64::from_ptr(slot).load(Ordering::Acquire);
            // A switch in the meantime leaves this slot alone; a second one may have written it.
            let settled = head_word.load(Ordering::Acquire) <= head + 1;
            let gap = AtomicU64::from_ptr(&raw mut (*log).gap).load(Ordering::Relaxed) != 0;
            let state = CpuState {
                running: (head > 0 && settled).then(|| address_part(next)),
                gap,
                lost_switches: AtomicU64::from_ptr(&raw mut (*log).dropped).load(Ordering::Relaxed),
                lost_events: AtomicU64::from_ptr(&raw mut (*log).lost_events)
                    .load(Ordering::Relaxed),
            };
            tail_word.store(head, Ordering::Release);
            state
        }
    }
}
