//! Chips of the kernel's hardware monitoring: what each is called, and which of its files tell of energy or power.
//! Reference: Linux v6.12, Documentation/hwmon/sysfs-interface.rst (µJ, µW, mV, mA), ina3221.rst,
//! acpi_power_meter.rst (whose driver puts its files, and its name, into the chip's `device` directory)

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A chip.
#[derive(Debug)]
pub(super) struct Chip {
    /// The name its driver gives it, e.g. `amdgpu`.
    pub name: String,
    /// `hwmon3`.
    pub directory_name: String,
    directory: PathBuf,
    files: BTreeSet<String>,
}

/// What a chip measures at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    /// Its label, where the chip has one.
    pub label: Option<String>,
    /// What to read.
    pub files: ChannelFiles,
}

/// Where a channel is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChannelFiles {
    /// Microjoules.
    Energy(PathBuf),
    /// Microwatts.
    Power(PathBuf),
    /// Millivolts and milliamperes.
    VoltageAndCurrent(PathBuf, PathBuf),
}

/// The chips of a sysfs that may tell of energy, in the order of their numbers. Batteries also show
/// themselves as chips, and are left out: what they tell holds only while they discharge.
pub(super) fn chips(sysfs: &Path) -> Vec<Chip> {
    let Ok(entries) = fs::read_dir(sysfs.join("class/hwmon")) else { return Vec::new() };
    let mut paths: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name.strip_prefix("hwmon")?.parse().ok()?, entry.path()))
        })
        .collect();
    paths.sort();
    let battery = |name: &str| sysfs.join("class/power_supply").join(name).exists();
    paths
        .into_iter()
        .filter_map(|(number, path)| Chip::at(number, &path))
        .filter(|chip| !battery(&chip.name))
        .collect()
}

impl Chip {
    fn at(number: u32, path: &Path) -> Option<Self> {
        let inside = path.join("device");
        let name = line(&path.join("name")).or_else(|| line(&inside.join("name")))?;
        let directory_name = format!("hwmon{number}");
        let with_files = |directory: PathBuf| {
            let files = file_names(&directory);
            let (name, directory_name) = (name.clone(), directory_name.clone());
            Self { name, directory_name, directory, files }
        };
        let chip = with_files(path.to_owned());
        Some(if chip.channels().is_empty() { with_files(inside) } else { chip })
    }

    /// What it measures. A counter of energy comes before readings of power, which are then not used, as
    /// both tell of the same joules.
    pub(super) fn channels(&self) -> Vec<Channel> {
        let energies = self.numbered("energy", "_input", |number| {
            let files = ChannelFiles::Energy(self.path(&format!("energy{number}_input")));
            Channel { label: self.label(&format!("energy{number}_label")), files }
        });
        if !energies.is_empty() {
            return energies;
        }
        let mut powers = self.numbered("power", "_average", |number| self.power(number, "average"));
        if powers.is_empty() {
            powers = self.numbered("power", "_input", |number| self.power(number, "input"));
        }
        if powers.is_empty() && self.name == "ina3221" {
            powers = self.three_rails();
        }
        powers
    }

    /// Where on the PCI bus the device is that it belongs to, e.g. `0000:41:00.0`; `None` where it is on no
    /// such bus.
    pub(super) fn pci_address(&self) -> Option<String> {
        let device = fs::canonicalize(self.path("device")).ok()?;
        let name = device.file_name()?.to_str()?;
        (name.len() == "0000:41:00.0".len() && name.split([':', '.']).count() == 4)
            .then(|| name.to_owned())
    }

    /// How often it brings its readings up to date, in milliseconds, where it says so.
    pub(super) fn update_interval_ms(&self) -> Option<u64> {
        let files = ["power1_average_interval", "update_interval"];
        files.iter().find_map(|file| line(&self.path(file))?.parse().ok())
    }

    fn power(&self, number: u32, ending: &str) -> Channel {
        let files = ChannelFiles::Power(self.path(&format!("power{number}_{ending}")));
        let labels = [format!("power{number}_label"), format!("power{number}_oem_info")];
        Channel { label: labels.iter().find_map(|file| self.label(file)), files }
    }

    /// The INA3221 measures voltage and current of three rails, and its driver does not multiply them.
    fn three_rails(&self) -> Vec<Channel> {
        let used = |number: &u32| {
            let has = |file: String| self.files.contains(&file);
            let enabled = line(&self.path(&format!("in{number}_enable")));
            has(format!("in{number}_input"))
                && has(format!("curr{number}_input"))
                && enabled.is_none_or(|enabled| enabled != "0")
        };
        let rail = |number| Channel {
            label: self.label(&format!("in{number}_label")),
            files: ChannelFiles::VoltageAndCurrent(
                self.path(&format!("in{number}_input")),
                self.path(&format!("curr{number}_input")),
            ),
        };
        (1..=3).filter(used).map(rail).collect()
    }

    /// A channel for each file such as `energy7_input`, in the order of the numbers.
    fn numbered(&self, kind: &str, ending: &str, channel: impl Fn(u32) -> Channel) -> Vec<Channel> {
        let number =
            |file: &String| file.strip_prefix(kind)?.strip_suffix(ending)?.parse::<u32>().ok();
        let mut numbers: Vec<u32> = self.files.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(channel).collect()
    }

    fn label(&self, file: &str) -> Option<String> {
        self.files.contains(file).then(|| line(&self.path(file)))?
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }
}

fn file_names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// A file's text without its line end; `None` where there is none.
fn line(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
