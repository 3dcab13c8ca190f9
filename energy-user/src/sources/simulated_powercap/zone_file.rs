//! One zone of a simulated tree: its directory, its counter's file, and what is wrong with it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::super::wrapping_counter::{highest_shown_uj, scale_uj};
use super::control::Fault;
use super::layout::ZonePlan;
use super::{Layout, SimulationError, file_error};
use crate::model::DomainId;
use crate::units::MonotonicTime;

/// A number is written at one width in place, so that files held open see it whole.
const WIDTH: usize = 20;

/// A zone's counter, shown in a file.
#[derive(Debug)]
pub(super) struct ZoneFile {
    plan: ZonePlan,
    path: PathBuf,
    /// `None` while the file is missing.
    file: Option<File>,
    register_bits: u32,
    /// What the register held when the truth was nothing, in units; a reset or a leap changes it.
    offset: u64,
    shown_raw: u64,
    stale_until: MonotonicTime,
    garbage: bool,
}

impl ZoneFile {
    pub(super) fn create(
        root: &Path,
        plan: ZonePlan,
        layout: &Layout,
    ) -> Result<Self, SimulationError> {
        let directory = root.join(&plan.directory);
        fs::create_dir_all(&directory).map_err(|cause| file_error("make", &directory, cause))?;
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|cause| file_error("write", &path, cause))
        };
        let highest = highest_shown_uj(plan.unit_nj, layout.register_bits);
        write("name", format!("{}\n", plan.name))?;
        write("max_energy_range_uj", format!("{highest}\n"))?;
        write("enabled", "1\n".to_owned())?;
        let offset = layout.start_uj.saturating_mul(1000) / plan.unit_nj;
        let mut zone = Self {
            path: directory.join("energy_uj"),
            plan,
            file: None,
            register_bits: layout.register_bits,
            offset,
            shown_raw: 0,
            stale_until: MonotonicTime::default(),
            garbage: false,
        };
        zone.make_file()?;
        zone.show(0, MonotonicTime::default())?;
        Ok(zone)
    }

    pub(super) const fn domain(&self) -> DomainId {
        self.plan.domain
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.plan.domain.to_string() == name
    }

    /// Shows that `energy_fj` was drawn since the start, as far as the register's unit and width allow and
    /// unless something is wrong.
    pub(super) fn show(
        &mut self,
        energy_fj: u128,
        now: MonotonicTime,
    ) -> Result<(), SimulationError> {
        let units = energy_fj / (u128::from(self.plan.unit_nj) * 1_000_000);
        let turn = 1_u128 << self.register_bits;
        let raw = (units + u128::from(self.offset)) % turn;
        self.shown_raw = u64::try_from(raw).expect("a register has at most 32 bits");
        if now < self.stale_until || self.garbage {
            return Ok(());
        }
        let Some(file) = &self.file else { return Ok(()) };
        let text = format!("{:0WIDTH$}\n", scale_uj(self.shown_raw, self.plan.unit_nj));
        file.write_all_at(text.as_bytes(), 0)
            .map_err(|cause| file_error("write", &self.path, cause))
    }

    pub(super) fn inject(
        &mut self,
        fault: Fault,
        now: MonotonicTime,
    ) -> Result<(), SimulationError> {
        let failed = |what, cause| file_error(what, &self.path, cause);
        let turn = 1 << self.register_bits;
        match fault {
            Fault::Stale(lasting) => self.stale_until = now + lasting,
            Fault::Backwards => self.offset = (self.offset + turn - self.shown_raw) % turn,
            Fault::Jump { joules } => {
                self.offset = (self.offset + joules * 1_000_000_000 / self.plan.unit_nj) % turn;
            }
            Fault::Garbage => {
                self.garbage = true;
                if let Some(file) = &self.file {
                    file.write_all_at(b"ffff", 0).map_err(|cause| failed("write", cause))?;
                }
            }
            Fault::Missing => {
                if let Some(file) = self.file.take() {
                    // Files held open show the removed counter as empty, where sysfs would say ENODEV.
                    file.set_len(0).map_err(|cause| failed("empty", cause))?;
                    fs::remove_file(&self.path).map_err(|cause| failed("remove", cause))?;
                }
            }
            Fault::NoAccess => self.set_mode(0o000)?,
            Fault::Restore => {
                self.garbage = false;
                self.stale_until = MonotonicTime::default();
                if self.file.is_none() {
                    self.make_file()?;
                }
                self.set_mode(0o444)?;
            }
        }
        Ok(())
    }

    fn make_file(&mut self) -> Result<(), SimulationError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).open(&self.path);
        self.file = Some(file.map_err(|cause| file_error("make", &self.path, cause))?);
        self.set_mode(0o444)
    }

    fn set_mode(&self, mode: u32) -> Result<(), SimulationError> {
        fs::set_permissions(&self.path, Permissions::from_mode(mode))
            .map_err(|cause| file_error("change the mode of", &self.path, cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;
    use crate::units::Nanoseconds;

    fn zone(root: &Path, register_bits: u32, start_uj: u64) -> ZoneFile {
        let plan = ZonePlan {
            directory: "intel-rapl:0".to_owned(),
            name: "package-0".to_owned(),
            domain: DomainId::of_socket(Domain::Package, 0),
            unit_nj: 61_035,
        };
        let layout = Layout { register_bits, start_uj, ..Layout::default() };
        ZoneFile::create(root, plan, &layout).unwrap()
    }

    fn shown(zone: &ZoneFile) -> String {
        fs::read_to_string(&zone.path).unwrap().trim_end().to_owned()
    }

    const JOULE_FJ: u128 = 1_000_000_000_000_000;

    #[test]
    fn a_counter_shows_whole_units_rounded_down() {
        let root = tempfile::tempdir().unwrap();
        let mut zone = zone(root.path(), 32, 0);
        zone.show(JOULE_FJ, MonotonicTime::default()).unwrap();
        // 16384 units of 61.035 µJ are 0.999997 J, and 61.035 more would be too much.
        assert_eq!(shown(&zone), "00000000000000999997");
    }

    #[test]
    fn a_short_register_wraps() {
        let root = tempfile::tempdir().unwrap();
        let mut zone = zone(root.path(), 8, 0);
        // 256 units and one more.
        zone.show(257 * 61_035 * 1_000_000, MonotonicTime::default()).unwrap();
        assert_eq!(shown(&zone), "00000000000000000061");
    }

    #[test]
    fn a_reset_begins_again_and_a_missing_file_comes_back() {
        let root = tempfile::tempdir().unwrap();
        let now = MonotonicTime::default();
        let mut zone = zone(root.path(), 32, 5_000_000);
        zone.show(JOULE_FJ, now).unwrap();
        zone.inject(Fault::Backwards, now).unwrap();
        zone.show(JOULE_FJ, now).unwrap();
        assert_eq!(shown(&zone), "00000000000000000000");
        zone.inject(Fault::Missing, now).unwrap();
        assert!(!zone.path.exists());
        zone.inject(Fault::Restore, now).unwrap();
        zone.show(2 * JOULE_FJ, now).unwrap();
        assert_eq!(shown(&zone).parse::<u64>().unwrap() / 1000, 999);
    }

    #[test]
    fn a_stale_counter_catches_up() {
        let root = tempfile::tempdir().unwrap();
        let mut zone = zone(root.path(), 32, 0);
        let lasting = Nanoseconds::from_millis(500);
        zone.inject(Fault::Stale(lasting), MonotonicTime::default()).unwrap();
        zone.show(JOULE_FJ, MonotonicTime::from_nanos(499_999_999)).unwrap();
        assert_eq!(shown(&zone), "00000000000000000000");
        zone.show(JOULE_FJ, MonotonicTime::from_nanos(500_000_000)).unwrap();
        assert_eq!(shown(&zone), "00000000000000999997");
    }
}
