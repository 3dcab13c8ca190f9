//! Every map, its size and why. User space sets the real sizes before loading.

use aya_ebpf::Global;
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, RingBuf};
use energy_ebpf::config::Offsets;
use energy_ebpf::switch_log::{CpuLog, Switch};

/// Bookkeeping of the switch log, one entry per possible CPU.
#[map]
pub static CPU_LOGS: Array<CpuLog> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The switch log itself: `1 << LOG_SHIFT` records for CPU 0, then for CPU 1, and so on.
#[map]
pub static SWITCHES: Array<Switch> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What happens to tasks. Read on the window's tick, so it must hold a tenth of a second's worth of
/// the worst fork storm: 10,000 programs a second are about 1 MiB.
#[map]
pub static TASK_EVENTS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Binary logarithm of the switch log's capacity per CPU.
#[unsafe(no_mangle)]
static LOG_SHIFT: Global<u32> = Global::new(0);

/// Where the kernel keeps the fields we read.
#[unsafe(no_mangle)]
static OFFSETS: Global<Offsets> = Global::new(Offsets {
    task_pid: 0,
    task_tgid: 0,
    task_start_time: 0,
    task_cpu_time: 0,
    task_mm: 0,
    mm_arg_start: 0,
    mm_arg_end: 0,
    binprm_filename: 0,
    cgroup_kn: 0,
    cgroup_root: 0,
    cgroup_root_hierarchy: 0,
    kernfs_id: 0,
});

#[inline(always)]
pub fn log_shift() -> u32 {
    LOG_SHIFT.load()
}

#[inline(always)]
pub fn offsets() -> Offsets {
    OFFSETS.load()
}
