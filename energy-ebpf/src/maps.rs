//! Every map, its size and why. User space sets the real sizes before loading.

use aya_ebpf::Global;
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, PerfEventArray, RingBuf};
use energy_ebpf::config::Offsets;
use energy_ebpf::counters::{Counted, MOST_COUNTERS, Reading};
use energy_ebpf::sample::{CopiedSample, Sample};
use energy_ebpf::switch_log::{CpuLog, Switch};

/// Bookkeeping of the switch log, one entry per possible CPU.
#[map]
pub static CPU_LOGS: Array<CpuLog> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The switch log itself: `1 << LOG_SHIFT` records for CPU 0, then for CPU 1, and so on.
#[map]
pub static SWITCHES: Array<Switch> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What was counted beside each record of the switch log, in the same slots; one where nothing is.
#[map]
pub static COUNTED: Array<Counted> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The first counter's event of each CPU. A map of events has one slot for each, so every counter has a map.
#[map]
pub static COUNTER_0: PerfEventArray<u64> = PerfEventArray::new(0);

/// The second's.
#[map]
pub static COUNTER_1: PerfEventArray<u64> = PerfEventArray::new(0);

/// The third's.
#[map]
pub static COUNTER_2: PerfEventArray<u64> = PerfEventArray::new(0);

/// What each CPU's counters read last.
#[map]
pub static COUNTER_READINGS: Array<[Reading; MOST_COUNTERS]> = Array::with_max_entries(1, 0);

/// What happens to tasks. Read on the window's tick, so it must hold a tenth of a second's worth of
/// the worst fork storm: 10,000 programs a second are about 1 MiB.
#[map]
pub static TASK_EVENTS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Samples of stacks. Typical ones take 400 bytes: a tenth of a second of 64 CPUs at 99 a second is
/// 250 KiB, of 2 CPUs at 10,000 a second 800 KiB. User space sets the size before loading.
#[map]
pub static SAMPLES: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

/// Where a sample is put together: it is too large for a program's own stack.
#[map]
pub static SCRATCH: PerCpuArray<Sample> = PerCpuArray::with_max_entries(1, 0);

/// Where samples with copied stacks are put together, one for each CPU: values of per-CPU maps must
/// be smaller.
#[map]
pub static COPY_SCRATCH: Array<CopiedSample> = Array::with_max_entries(1, 0);

/// Processes whose stacks are sampled. Children are added by the fork program, at once.
#[map]
pub static TARGETS: HashMap<u32, u8> = HashMap::with_max_entries(65_536, 0);

/// Whether stacks of every process are sampled.
#[unsafe(no_mangle)]
static SAMPLE_ALL: Global<u8> = Global::new(0);

/// Whether children of targets are targets.
#[unsafe(no_mangle)]
static INHERIT: Global<u8> = Global::new(0);

/// The recorder's process while it is to launch a command: what it forks is a target.
#[unsafe(no_mangle)]
static LAUNCHER: Global<u32> = Global::new(0);

/// Binary logarithm of the switch log's capacity per CPU.
#[unsafe(no_mangle)]
static LOG_SHIFT: Global<u32> = Global::new(0);

/// How many hardware counters are read at each switch.
#[unsafe(no_mangle)]
static COUNTERS: Global<u32> = Global::new(0);

/// How many bytes of a stack are copied.
#[unsafe(no_mangle)]
static STACK_LIMIT: Global<u32> = Global::new(0);

/// Where the kernel keeps the fields we read.
#[unsafe(no_mangle)]
static OFFSETS: Global<Offsets> = Global::new(Offsets {
    task_pid: 0,
    task_tgid: 0,
    task_start_time: 0,
    task_cpu_time: 0,
    task_exec_start: 0,
    task_last_arrival: 0,
    task_fair_queue: 0,
    fair_queue_runqueue: 0,
    runqueue_clock: 0,
    runqueue_clock_task: 0,
    task_mm: 0,
    mm_arg_start: 0,
    mm_arg_end: 0,
    binprm_filename: 0,
    cgroup_kn: 0,
    cgroup_root: 0,
    cgroup_root_hierarchy: 0,
    kernfs_id: 0,
    registers_ip: 0,
    registers_sp: 0,
    registers_bp: 0,
});

#[inline(always)]
pub fn log_shift() -> u32 {
    LOG_SHIFT.load()
}

#[inline(always)]
pub fn counters() -> u32 {
    COUNTERS.load()
}

#[inline(always)]
pub fn offsets() -> Offsets {
    OFFSETS.load()
}

#[inline(always)]
pub fn samples_everything() -> bool {
    SAMPLE_ALL.load() != 0
}

#[inline(always)]
pub fn stack_limit() -> u32 {
    STACK_LIMIT.load()
}

#[inline(always)]
pub fn inherits() -> bool {
    INHERIT.load() != 0
}

/// The process whose children are targets, 0 for none.
#[inline(always)]
pub fn launcher() -> u32 {
    LAUNCHER.load()
}
