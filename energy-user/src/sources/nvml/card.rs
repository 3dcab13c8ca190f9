//! One of NVIDIA's cards: its energy, and who uses it.

use std::collections::{BTreeMap, BTreeSet};

use nvml_wrapper::Nvml as Library;
use nvml_wrapper::device::Device;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::{BusType, SampleValue, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::{ProcessInfo, ProcessUtilizationSample};
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_POWER_INSTANT;

use super::super::power_integral::PowerIntegral;
use super::super::undisturbed::read_between;
use super::super::{ClockFn, CounterReading, Finding};
use super::failure::unreadable;
use crate::model::{Domain, DomainId, GpuSample};
use crate::units::Microjoules;

/// Words in the names of cards whose chips (GA100 and GH100) measure their power for 25 % of the time: found
/// for the A100 and H100 by Yang, Adamek and Armour, arXiv 2312.02741; the others have the same chips.
const LOOK_PART_OF_THE_TIME: [&str; 9] =
    ["A100", "A30", "A800", "H100", "H200", "H800", "H20", "GH200", "A100X"];

/// A card that tells of energy.
#[derive(Debug)]
pub(super) struct Card {
    number: u16,
    name: String,
    reads: Reads,
    is_partitioned: bool,
    is_discrete: bool,
    /// The driver's time, in µs, of each process's last sample of use; of those that may be told again.
    last_samples_us: BTreeMap<u32, u64>,
}

/// Where its energy comes from.
#[derive(Debug)]
enum Reads {
    Energy,
    /// Power now, where the driver has it apart from the mean.
    InstantPower(PowerIntegral),
    /// The mean power of the last second, on Ampere and newer.
    Power(PowerIntegral),
}

/// The PCI address of a card, as sysfs has it: `0000:41:00.0`.
pub(super) fn address(library: &Library, number: u16) -> Option<String> {
    let bus_id = library.device_by_index(u32::from(number)).ok()?.pci_info().ok()?.bus_id;
    let (domain, rest) = bus_id.split_once(':')?;
    let domain = u32::from_str_radix(domain, 16).ok()?;
    Some(format!("{domain:04x}:{}", rest.to_lowercase()))
}

/// How much later than others' samples a process's sample may be told, in µs: the longest time that drivers
/// sample over.
const TOLD_LATE_US: u64 = 1_000_000;

impl Card {
    /// A card, and the best way to its energy.
    pub(super) fn open(library: &Library, number: u16) -> Result<Self, NvmlError> {
        let device = library.device_by_index(u32::from(number))?;
        let reads = if device.total_energy_consumption().is_ok() {
            Reads::Energy
        } else if instant_power_mw(&device).is_ok() {
            Reads::InstantPower(PowerIntegral::default())
        } else {
            device.power_usage()?;
            Reads::Power(PowerIntegral::default())
        };
        Ok(Self {
            number,
            name: device.name().unwrap_or_else(|_| "a card without a name".to_owned()),
            reads,
            is_partitioned: device.mig_mode().is_ok_and(|mode| mode.current == 1),
            is_discrete: !matches!(device.bus_type(), Ok(BusType::Fpci)),
            last_samples_us: BTreeMap::new(),
        })
    }

    pub(super) const fn domain(&self) -> DomainId {
        DomainId::of_socket(Domain::Gpu, self.number)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether its sensor misses three quarters of what happens.
    pub(super) fn looks_part_of_the_time(&self) -> bool {
        let mut words = self.name.split(|letter: char| !letter.is_ascii_alphanumeric());
        words.any(|word| LOOK_PART_OF_THE_TIME.contains(&word))
    }

    /// Whether it is several cards to its users (MIG), of which no sensor tells apart.
    pub(super) const fn is_partitioned(&self) -> bool {
        self.is_partitioned
    }

    /// Whether its energy is made of readings of power.
    pub(super) const fn is_integrated_over_time(&self) -> bool {
        matches!(self.reads, Reads::InstantPower(_) | Reads::Power(_))
    }

    /// Whether it lies in no processor's package: those of NVIDIA's systems on a chip do.
    pub(super) const fn is_discrete(&self) -> bool {
        self.is_discrete
    }

    pub(super) fn finding(&self) -> Finding {
        let what = format!("{}, {}", self.domain(), self.name);
        let energy = match self.reads {
            Reads::Energy => "energy counted by the card",
            Reads::InstantPower(_) => "power now measured by the card, integrated over time",
            Reads::Power(_) => "mean power measured by the card, integrated over time",
        };
        if self.is_partitioned {
            let detail =
                format!("{energy}; divided by MIG, so that nothing tells whose processes draw it");
            return Finding::degraded(what, detail);
        }
        let finding = if self.is_integrated_over_time() { Finding::degraded } else { Finding::ok };
        finding(what, format!("{energy}, charged to processes by their use of its multiprocessors"))
    }

    /// Reads its energy, the counter's number `counter`.
    pub(super) fn read(
        &mut self,
        library: &Library,
        counter: usize,
        clock: &ClockFn,
    ) -> CounterReading {
        let number = u32::from(self.number);
        let failed = |error: &NvmlError, what| unreadable(what, &format!("gpu-{number}"), error);
        let power_uw = |read_mw: fn(&Device<'_>) -> Result<u64, NvmlError>| {
            let power_mw = library.device_by_index(number).and_then(|device| read_mw(&device));
            power_mw.map(|mw| mw.saturating_mul(1000)).map_err(|error| failed(&error, "power"))
        };
        match &mut self.reads {
            Reads::Energy => read_between(counter, clock, || {
                let device = library.device_by_index(number);
                let energy_mj = device.and_then(|device| device.total_energy_consumption());
                let energy_uj = energy_mj.map(|mj| Microjoules::new(mj.saturating_mul(1000)));
                energy_uj.map_err(|error| failed(&error, "energy"))
            }),
            Reads::InstantPower(integral) => {
                integral.read(counter, clock, || power_uw(instant_power_mw))
            }
            Reads::Power(integral) => {
                let mean = |device: &Device<'_>| device.power_usage().map(u64::from);
                integral.read(counter, clock, || power_uw(mean))
            }
        }
    }

    /// Who used it since the last call, and its state. What the card does not tell is left out.
    pub(super) fn read_use(&mut self, library: &Library, out: &mut Vec<GpuSample>) {
        let Ok(device) = library.device_by_index(u32::from(self.number)) else { return };
        let utilization = device.utilization_rates().ok();
        let card = GpuSample {
            gpu: self.number,
            sm_percent: utilization.as_ref().and_then(|rates| percent(rates.gpu)),
            memory_percent: utilization.as_ref().and_then(|rates| percent(rates.memory)),
            memory_bytes: device.memory_info().ok().map(|memory| memory.used),
            temperature_celsius: device
                .temperature(TemperatureSensor::Gpu)
                .ok()
                .and_then(|celsius| u16::try_from(celsius).ok()),
            sm_clock_mhz: device.clock_info(Clock::SM).ok(),
            memory_clock_mhz: device.clock_info(Clock::Memory).ok(),
            ..GpuSample::default()
        };
        if card != (GpuSample { gpu: self.number, ..GpuSample::default() }) {
            out.push(card);
        }
        let memory = memory_by_process(&device);
        let used = self.samples_of_use(&device);
        let pids: BTreeSet<u32> = memory.keys().chain(used.keys()).copied().collect();
        out.extend(pids.into_iter().map(|pid| GpuSample {
            gpu: self.number,
            pid: Some(pid),
            sm_percent: used.get(&pid).map(|used| used.sm),
            memory_percent: used.get(&pid).and_then(|used| used.memory),
            memory_bytes: memory.get(&pid).copied().flatten(),
            ..GpuSample::default()
        }));
    }

    /// What the driver has sampled of its processes since the last call. It samples each at times of its own,
    /// and tells of those that used anything in their last time.
    fn samples_of_use(&mut self, device: &Device<'_>) -> BTreeMap<u32, Used> {
        if self.is_partitioned {
            return BTreeMap::new();
        }
        let latest = self.last_samples_us.values().copied().max().unwrap_or(0);
        let since = latest.saturating_sub(TOLD_LATE_US);
        let Ok(samples) = device.process_utilization_stats(since) else {
            return BTreeMap::new();
        };
        let used = mean_use(&samples, &self.last_samples_us);
        for sample in &samples {
            let last = self.last_samples_us.entry(sample.pid).or_default();
            *last = sample.timestamp.max(*last);
        }
        self.last_samples_us.retain(|_, at| *at >= since);
        used
    }
}

/// How much of its time a card worked for a process, and its memory did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Used {
    sm: u8,
    memory: Option<u8>,
}

/// The mean of each process's samples that are newer than its last, in whole percent, rounded up: who used
/// anything is not told as nothing.
fn mean_use(
    samples: &[ProcessUtilizationSample],
    last_us: &BTreeMap<u32, u64>,
) -> BTreeMap<u32, Used> {
    let mut sums: BTreeMap<u32, (u32, u32, u32)> = BTreeMap::new();
    for sample in samples {
        // Drivers have been seen to give whatever was in memory: no process, or more than all of the time
        // (Syllo/nvtop#110, NVIDIA/DCGM#83).
        let is_sample = sample.pid != 0 && sample.sm_util <= 100;
        let is_new = last_us.get(&sample.pid).is_none_or(|last| sample.timestamp > *last);
        if is_sample && is_new {
            let sum = sums.entry(sample.pid).or_default();
            sum.0 += sample.sm_util;
            sum.1 = sum.1.saturating_add(sample.mem_util);
            sum.2 += 1;
        }
    }
    let used = |(sm, memory, times): (u32, u32, u32)| {
        let sm = percent(sm.div_ceil(times))?;
        Some(Used { sm, memory: percent(memory.div_ceil(times)) })
    };
    sums.into_iter().filter_map(|(pid, sum)| Some((pid, used(sum)?))).collect()
}

/// Bytes of the card's memory by process: of those that compute, and those that draw.
fn memory_by_process(device: &Device<'_>) -> BTreeMap<u32, Option<u64>> {
    let compute = device.running_compute_processes().unwrap_or_default();
    let graphics = device.running_graphics_processes().unwrap_or_default();
    let bytes = |process: &ProcessInfo| match process.used_gpu_memory {
        UsedGpuMemory::Used(bytes) => Some(bytes),
        UsedGpuMemory::Unavailable => None,
    };
    compute.iter().chain(&graphics).map(|process| (process.pid, bytes(process))).collect()
}

fn instant_power_mw(device: &Device<'_>) -> Result<u64, NvmlError> {
    let mut values = device.field_values_for(&[FieldId(NVML_FI_DEV_POWER_INSTANT)])?;
    match values.pop().ok_or(NvmlError::NotSupported)??.value? {
        SampleValue::U32(milliwatts) => Ok(u64::from(milliwatts)),
        SampleValue::U64(milliwatts) => Ok(milliwatts),
        _ => Err(NvmlError::NotSupported),
    }
}

fn percent(number: u32) -> Option<u8> {
    u8::try_from(number).ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pid: u32, timestamp: u64, sm_util: u32) -> ProcessUtilizationSample {
        ProcessUtilizationSample { pid, timestamp, sm_util, mem_util: 10, enc_util: 0, dec_util: 0 }
    }

    #[test]
    fn each_process_has_samples_of_its_own_and_each_of_them_once() {
        let samples = [sample(1, 100, 60), sample(2, 150, 20), sample(1, 200, 40)];
        let found = |last: &[(u32, u64)]| -> Vec<(u32, u8)> {
            let used = mean_use(&samples, &last.iter().copied().collect());
            used.iter().map(|(pid, used)| (*pid, used.sm)).collect()
        };
        assert_eq!(found(&[]), [(1, 50), (2, 20)]);
        assert_eq!(found(&[(1, 100), (2, 150)]), [(1, 40)]);
    }

    #[test]
    fn what_was_in_memory_is_no_figure() {
        let samples = [sample(1, 100, 2_147_483_632), sample(0, 100, 0)];
        assert_eq!(mean_use(&samples, &BTreeMap::new()), BTreeMap::new());
    }
}
