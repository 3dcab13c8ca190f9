//! Stands in for NVIDIA's `libnvidia-ml.so.1`: a library of its own, made by `rustc` out of this one file, that
//! tells what a script beside it says (its own path with `.script` behind it, read anew at every call).
//!
//! The script has a word and its numbers on each line. Times are in seconds since `origin`, powers in watts.
//!
//!     driver 550.90.07          what the driver calls itself
//!     init CODE                 nvmlInit gives this error
//!     origin NANOSECONDS        time 0, on CLOCK_MONOTONIC; or `at SECONDS`, where time stands still
//!     card NAME                 another card; what follows is of it
//!     pci 00000000:41:00.0      where it is
//!     bus 3                     the kind of bus, as NVML counts them
//!     step SECONDS              how often its counter moves; 0: it has none
//!     base JOULES               what the counter began with
//!     field 0                   it does not tell of its power now
//!     mig 1                     it is divided by MIG
//!     use SECONDS               how often the use by processes is sampled; 0: it is not
//!     power WATTS FROM TO       it draws this, and all else that it draws
//!     process PID PERCENT MIB FROM TO
//!     fail WORD CODE FROM TO    calls with this word in their names give this error
//!
//! Reference: NVIDIA, nvml.h of CUDA 12 (names, structures, error codes)

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::sync::OnceLock;

const SUCCESS: c_int = 0;
const NOT_SUPPORTED: c_int = 3;
const NOT_FOUND: c_int = 6;
const INSUFFICIENT_SIZE: c_int = 7;
const POWER_INSTANT: c_uint = 186;
const UNSIGNED_INT: c_uint = 1;

#[repr(C)]
pub struct PciInfo {
    legacy: [c_char; 16],
    domain: c_uint,
    bus: c_uint,
    device: c_uint,
    device_id: c_uint,
    subsystem_id: c_uint,
    bus_id: [c_char; 32],
}

#[repr(C)]
pub struct FieldValue {
    field: c_uint,
    scope: c_uint,
    timestamp: i64,
    latency: i64,
    value_type: c_uint,
    result: c_int,
    value: u64,
}

#[repr(C)]
pub struct Utilization {
    gpu: c_uint,
    memory: c_uint,
}

#[repr(C)]
pub struct Memory {
    version: c_uint,
    total: c_ulonglong,
    reserved: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[repr(C)]
pub struct Running {
    pid: c_uint,
    memory: c_ulonglong,
    gpu_instance: c_uint,
    compute_instance: c_uint,
}

#[repr(C)]
pub struct UseSample {
    pid: c_uint,
    timestamp: c_ulonglong,
    sm: c_uint,
    memory: c_uint,
    encoder: c_uint,
    decoder: c_uint,
}

#[derive(Default)]
struct Script {
    driver: String,
    init: c_int,
    time: f64,
    cards: Vec<Card>,
}

#[derive(Default)]
struct Card {
    name: String,
    pci: String,
    bus: c_uint,
    step: f64,
    base: f64,
    field: bool,
    mig: c_uint,
    sampled: f64,
    powers: Vec<(f64, f64, f64)>,
    processes: Vec<Process>,
    failures: Vec<(String, c_int, f64, f64)>,
}

struct Process {
    pid: c_uint,
    percent: f64,
    mebibytes: c_ulonglong,
    from: f64,
    to: f64,
}

fn overlap(from: f64, to: f64, begin: f64, end: f64) -> f64 {
    (to.min(end) - from.max(begin)).max(0.0)
}

impl Script {
    fn read() -> Self {
        let text = std::fs::read_to_string(place()).unwrap_or_default();
        let mut script = Script { driver: "550.90.07".to_owned(), ..Script::default() };
        for line in text.lines() {
            let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let numbers: Vec<f64> = rest.split(' ').filter_map(|word| word.parse().ok()).collect();
            let number = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
            match word {
                "driver" => script.driver = rest.to_owned(),
                "init" => script.init = number(0) as c_int,
                "at" => script.time = number(0),
                "origin" => {
                    let origin: u64 = rest.parse().unwrap_or(0);
                    script.time = monotonic().saturating_sub(origin) as f64 / 1e9;
                }
                "card" => script.cards.push(Card {
                    name: rest.to_owned(),
                    bus: 2,
                    step: 0.1,
                    field: true,
                    sampled: 1.0 / 6.0,
                    ..Card::default()
                }),
                _ => {
                    let Some(card) = script.cards.last_mut() else { continue };
                    match word {
                        "pci" => card.pci = rest.to_owned(),
                        "bus" => card.bus = number(0) as c_uint,
                        "step" => card.step = number(0),
                        "base" => card.base = number(0),
                        "field" => card.field = number(0) != 0.0,
                        "mig" => card.mig = number(0) as c_uint,
                        "use" => card.sampled = number(0),
                        "power" => card.powers.push((number(0), number(1), number(2))),
                        "process" => card.processes.push(Process {
                            pid: number(0) as c_uint,
                            percent: number(1),
                            mebibytes: number(2) as c_ulonglong,
                            from: number(3),
                            to: number(4),
                        }),
                        "fail" => {
                            let name = rest.split(' ').next().unwrap_or("").to_owned();
                            card.failures.push((name, number(0) as c_int, number(1), number(2)));
                        }
                        _ => {}
                    }
                }
            }
        }
        script
    }
}

impl Card {
    fn energy_mj(&self, time: f64) -> c_ulonglong {
        let shown = (time / self.step).floor() * self.step;
        let drawn = |(watts, from, to): &(f64, f64, f64)| watts * overlap(*from, *to, 0.0, shown);
        let joules = self.base + self.powers.iter().map(drawn).sum::<f64>();
        (joules * 1000.0) as c_ulonglong
    }

    fn power_mw(&self, time: f64) -> c_uint {
        let now = self.powers.iter().filter(|(_, from, to)| (*from..*to).contains(&time));
        (now.map(|(watts, ..)| watts).sum::<f64>() * 1000.0) as c_uint
    }

    /// The last sample of each process that used anything since its sample before: whose it is, when it was,
    /// and the mean percent. Real drivers sample each process at times of its own, and so does this.
    fn used(&self, time: f64) -> Vec<(c_uint, f64, c_uint)> {
        let sample = |(place, process): (usize, &Process)| {
            let shift = 0.05 * place as f64;
            let at = ((time - shift) / self.sampled).floor() * self.sampled + shift;
            let ran = overlap(process.from, process.to, at - self.sampled, at) / self.sampled;
            (process.pid, at, (process.percent * ran).round() as c_uint)
        };
        let used = self.processes.iter().enumerate().map(sample);
        used.filter(|(_, _, percent)| *percent > 0).collect()
    }

    fn failure(&self, call: &str, time: f64) -> Option<c_int> {
        let fails = |(word, _, from, to): &&(String, c_int, f64, f64)| {
            call.contains(word.as_str()) && (*from..*to).contains(&time)
        };
        self.failures.iter().find(fails).map(|(_, code, ..)| *code)
    }
}

/// The script's path: beside this library, wherever it was copied.
fn place() -> &'static str {
    #[repr(C)]
    struct Found {
        file: *const c_char,
        base: *mut c_void,
        symbol: *const c_char,
        address: *mut c_void,
    }
    unsafe extern "C" {
        fn dladdr(address: *const c_void, found: *mut Found) -> c_int;
    }
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| unsafe {
        let mut found = std::mem::zeroed::<Found>();
        if dladdr(nvmlShutdown as *const c_void, &mut found) == 0 || found.file.is_null() {
            return String::new();
        }
        format!("{}.script", CStr::from_ptr(found.file).to_string_lossy())
    })
}

fn monotonic() -> u64 {
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: c_int, time: *mut Time) -> c_int;
    }
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(1, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

/// Runs `tell` with the card behind a handle, unless the script has it fail.
fn card(handle: *mut c_void, call: &str, tell: impl FnOnce(&Card, f64) -> c_int) -> c_int {
    let script = Script::read();
    let Some(card) = (handle as usize).checked_sub(1).and_then(|index| script.cards.get(index))
    else {
        return NOT_FOUND;
    };
    card.failure(call, script.time).unwrap_or_else(|| tell(card, script.time))
}

unsafe fn put_text(text: &str, to: *mut c_char, room: usize) {
    for (index, byte) in text.bytes().take(room - 1).chain([0]).enumerate() {
        unsafe { *to.add(index) = byte as c_char };
    }
}

/// Gives a list as NVML does: where there is no room for it, only how long it is.
unsafe fn put_list<T>(list: Vec<T>, count: *mut c_uint, to: *mut T) -> c_int {
    let room = unsafe { *count } as usize;
    unsafe { *count = list.len() as c_uint };
    if to.is_null() || room < list.len() {
        return if list.is_empty() { SUCCESS } else { INSUFFICIENT_SIZE };
    }
    for (index, item) in list.into_iter().enumerate() {
        unsafe { to.add(index).write(item) };
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> c_int {
    Script::read().init
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlSystemGetDriverVersion(to: *mut c_char, room: c_uint) -> c_int {
    unsafe { put_text(&Script::read().driver, to, room as usize) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> c_int {
    unsafe { *count = Script::read().cards.len() as c_uint };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(
    index: c_uint,
    to: *mut *mut c_void,
) -> c_int {
    let handle = (index as usize + 1) as *mut c_void;
    card(handle, "HandleByIndex", |_, _| {
        unsafe { *to = handle };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetName(
    handle: *mut c_void,
    to: *mut c_char,
    room: c_uint,
) -> c_int {
    card(handle, "Name", |card, _| {
        unsafe { put_text(&card.name, to, room as usize) };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPciInfo_v3(handle: *mut c_void, to: *mut PciInfo) -> c_int {
    card(handle, "PciInfo", |card, _| {
        unsafe {
            to.write(std::mem::zeroed());
            put_text(&card.pci, (*to).bus_id.as_mut_ptr(), 32);
        }
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetBusType(handle: *mut c_void, to: *mut c_uint) -> c_int {
    card(handle, "BusType", |card, _| {
        unsafe { *to = card.bus };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMigMode(
    handle: *mut c_void,
    current: *mut c_uint,
    pending: *mut c_uint,
) -> c_int {
    card(handle, "MigMode", |card, _| {
        unsafe { (*current, *pending) = (card.mig, card.mig) };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTotalEnergyConsumption(
    handle: *mut c_void,
    to: *mut c_ulonglong,
) -> c_int {
    card(handle, "TotalEnergyConsumption", |card, time| {
        if card.step == 0.0 {
            return NOT_SUPPORTED;
        }
        unsafe { *to = card.energy_mj(time) };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetPowerUsage(handle: *mut c_void, to: *mut c_uint) -> c_int {
    card(handle, "PowerUsage", |card, time| {
        unsafe { *to = card.power_mw(time) };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetFieldValues(
    handle: *mut c_void,
    count: c_int,
    values: *mut FieldValue,
) -> c_int {
    card(handle, "FieldValues", |card, time| {
        for value in unsafe { std::slice::from_raw_parts_mut(values, count as usize) } {
            value.result = NOT_SUPPORTED;
            if value.field == POWER_INSTANT && card.field {
                value.value_type = UNSIGNED_INT;
                value.value = u64::from(card.power_mw(time));
                value.result = SUCCESS;
            }
        }
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetUtilizationRates(
    handle: *mut c_void,
    to: *mut Utilization,
) -> c_int {
    card(handle, "UtilizationRates", |card, time| {
        if card.sampled == 0.0 || card.mig == 1 {
            return NOT_SUPPORTED;
        }
        let gpu = card.used(time).iter().map(|(_, _, percent)| percent).sum::<c_uint>().min(100);
        unsafe { to.write(Utilization { gpu, memory: gpu / 2 }) };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetMemoryInfo_v2(handle: *mut c_void, to: *mut Memory) -> c_int {
    card(handle, "MemoryInfo", |card, time| {
        let running =
            card.processes.iter().filter(|process| (process.from..process.to).contains(&time));
        unsafe { (*to).used = running.map(|process| process.mebibytes << 20).sum() };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetTemperature(
    handle: *mut c_void,
    _sensor: c_uint,
    to: *mut c_uint,
) -> c_int {
    card(handle, "Temperature", |_, _| {
        unsafe { *to = 45 };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetClockInfo(
    handle: *mut c_void,
    clock: c_uint,
    to: *mut c_uint,
) -> c_int {
    card(handle, "ClockInfo", |_, _| {
        unsafe { *to = if clock == 2 { 1593 } else { 1410 } };
        SUCCESS
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    handle: *mut c_void,
    count: *mut c_uint,
    to: *mut Running,
) -> c_int {
    card(handle, "ComputeRunningProcesses", |card, time| {
        let running =
            card.processes.iter().filter(|process| (process.from..process.to).contains(&time));
        let list = running.map(|process| Running {
            pid: process.pid,
            memory: process.mebibytes << 20,
            gpu_instance: c_uint::MAX,
            compute_instance: c_uint::MAX,
        });
        unsafe { put_list(list.collect(), count, to) }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetGraphicsRunningProcesses_v3(
    handle: *mut c_void,
    count: *mut c_uint,
    to: *mut Running,
) -> c_int {
    card(handle, "GraphicsRunningProcesses", |_, _| unsafe { put_list(Vec::new(), count, to) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvmlDeviceGetProcessUtilization(
    handle: *mut c_void,
    to: *mut UseSample,
    count: *mut c_uint,
    last_seen_us: c_ulonglong,
) -> c_int {
    card(handle, "ProcessUtilization", |card, time| {
        if card.sampled == 0.0 || card.mig == 1 {
            return NOT_SUPPORTED;
        }
        let sample = |(pid, at, sm): (c_uint, f64, c_uint)| UseSample {
            pid,
            timestamp: 1_000_000 + (at * 1e6) as c_ulonglong,
            sm,
            memory: sm / 2,
            encoder: 0,
            decoder: 0,
        };
        let mut samples: Vec<UseSample> = card.used(time).into_iter().map(sample).collect();
        samples.retain(|sample| sample.timestamp > last_seen_us);
        if samples.is_empty() {
            return NOT_FOUND;
        }
        unsafe { put_list(samples, count, to) }
    })
}
