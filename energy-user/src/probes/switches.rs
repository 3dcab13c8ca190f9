//! Reading the switch log: which thread left which CPU when, and who runs there now.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};

use energy_ebpf::counters::{Counted, MOST_COUNTERS, UNKNOWN, WITH_NEXT};
use energy_ebpf::switch_log::{CpuLog, GAP, Switch, address_part, key_address, key_tid};

use super::ProbeError;
use super::shared_memory::SharedArray;
use crate::units::MonotonicTime;

/// How often a state is read again because the CPU has switched meanwhile; reading takes a small
/// part of the time between two switches.
const ATTEMPTS: usize = 16;

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
    /// What was counted since the record before, by the counters in their order, `None` where that is unknown. None
    /// of it where nothing is counted, and where the next record has what was counted in both.
    pub counts: Option<[Option<u64>; MOST_COUNTERS]>,
}

/// How far a CPU's log had come at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuState {
    /// Number of the first record that was not there yet.
    head: u64,
    /// The address of the task that runs since the last record; `None` before the first record,
    /// and where the CPU switches too fast to tell.
    pub running: Option<u64>,
    /// Whether the newest switches are among the lost ones, so that `running` is unknown.
    pub gap: bool,
    /// Switches lost on this CPU since recording began.
    pub lost_switches: u64,
    /// Process events lost on this CPU since recording began.
    pub lost_events: u64,
    /// Samples of stacks lost on this CPU since recording began.
    pub lost_samples: u64,
    /// Times that switches on this CPU went unseen since recording began.
    pub unseen_switches: u64,
}

/// The switch log of all CPUs.
pub(super) struct SwitchLog {
    cpus: SharedArray<CpuLog>,
    records: SharedArray<Switch>,
    counted: Option<SharedArray<Counted>>,
    shift: u32,
    count: u16,
}

impl SwitchLog {
    pub(super) fn map(
        cpus: impl AsFd,
        records: impl AsFd,
        counted: Option<impl AsFd>,
        count: u16,
        shift: u32,
    ) -> Result<Self, ProbeError> {
        Ok(Self {
            cpus: SharedArray::map(cpus, usize::from(count))?,
            records: SharedArray::map(records, usize::from(count) << shift)?,
            counted: counted
                .map(|counted| SharedArray::map(counted, usize::from(count) << shift))
                .transpose()?,
            shift,
            count,
        })
    }

    pub(super) fn cpus(&self) -> u16 {
        self.count
    }

    /// How far `cpu` has come now.
    pub(super) fn state(&self, cpu: u16) -> CpuState {
        let log = self.cpus.at(usize::from(cpu));
        // SAFETY: `log` lies in the mapping; words are read atomically.
        let read = |word: *mut u64| unsafe { AtomicU64::from_ptr(word) }.load(Ordering::Acquire);
        // SAFETY: the fields of a `CpuLog` in the mapping.
        let (head_at, gap_at, next_at, dropped_at, lost_events_at, lost_samples_at, unseen_at) = unsafe {
            (
                &raw mut (*log).head,
                &raw mut (*log).gap,
                [&raw mut (*log).next[0], &raw mut (*log).next[1]],
                &raw mut (*log).dropped,
                &raw mut (*log).lost_events,
                &raw mut (*log).lost_samples,
                &raw mut (*log).unseen,
            )
        };
        let mut state = CpuState::default();
        for _ in 0..ATTEMPTS {
            let head = read(head_at);
            state = CpuState {
                head,
                running: (head > 0)
                    .then(|| address_part(read(next_at[usize::from(head & 1 == 1)]))),
                gap: read(gap_at) != 0,
                lost_switches: read(dropped_at),
                lost_events: read(lost_events_at),
                lost_samples: read(lost_samples_at),
                unseen_switches: read(unseen_at),
            };
            if read(head_at) == head {
                return state;
            }
        }
        CpuState { running: None, ..state }
    }

    /// Hands every unread record of `cpu` that was there at `state` to `each`, oldest first, and
    /// frees their room.
    pub(super) fn read(&self, cpu: u16, state: &CpuState, mut each: impl FnMut(SwitchRecord)) {
        let log = self.cpus.at(usize::from(cpu));
        let base = usize::from(cpu) << self.shift;
        let mask = (1usize << self.shift) - 1;
        // SAFETY: `log` and the records lie in the mapping. The kernel side writes records before
        // it moves `head`, and never one that `tail` has not passed.
        unsafe {
            let tail_word = AtomicU64::from_ptr(&raw mut (*log).tail);
            for number in tail_word.load(Ordering::Relaxed)..state.head {
                #[expect(clippy::cast_possible_truncation, reason = "the mask keeps the low bits")]
                let slot = base | (number as usize & mask);
                let record = self.records.at(slot).read();
                let counted = self.counted.as_ref().map(|counted| counted.at(slot).read());
                each(SwitchRecord {
                    end: MonotonicTime::from_nanos(record.end_ns & !GAP),
                    address: key_address(record.task),
                    tid: key_tid(record.task),
                    after_gap: record.end_ns & GAP != 0,
                    counts: counted.filter(|it| it.counts[0] != WITH_NEXT).map(|counted| {
                        counted.counts.map(|count| (count != UNKNOWN).then_some(count))
                    }),
                });
            }
            tail_word.store(state.head, Ordering::Release);
        }
    }
}
