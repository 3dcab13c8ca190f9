//! What a machine draws idle, and with so many CPUs busy, as `energy-prof calibrate` measured it: a JSON file
//! that holds for one machine. A calibration of another machine is refused and never used silently.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::HostFacts;
use crate::model::DomainId;
use crate::units::{Nanoseconds, WallTime, Watts};

/// The version of the file. It rises when a reader of the old version would misread a new one.
pub const CALIBRATION_VERSION: u32 = 1;

/// Where root's calibration is kept.
const OF_ROOT: &str = "/var/lib/energy-prof/calibration.json";

/// Where a user's is kept, below the directory for state.
const OF_USER: &str = "energy-prof/calibration.json";

/// A calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The version of the fields.
    pub schema_version: u32,
    /// The program that measured, e.g. `energy-prof 0.1.0`.
    pub tool: String,
    /// The machine it holds for.
    pub host: HostIdentity,
    /// When it was taken, in nanoseconds since 1970-01-01T00:00:00 UTC.
    pub taken_utc_ns: WallTime,
    /// The same for people.
    pub taken_utc: String,
    /// What it draws when nothing runs.
    pub idle: LoadPoint,
    /// What it draws with one CPU busy, two, and so on; empty where only idling was measured.
    #[serde(default)]
    pub active: Vec<LoadPoint>,
}

/// A machine, as far as it must be the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostIdentity {
    /// Derived from `/etc/machine-id`, which is not to be given away; `None` where there is none.
    pub id: Option<String>,
    /// Its name.
    pub hostname: String,
    /// The processor's name.
    pub cpu_model: String,
    /// CPUs online.
    pub cpus: u32,
}

/// Mean power at one load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadPoint {
    /// How many CPUs were kept busy.
    pub busy_cpus: u32,
    /// For how long power was measured, in nanoseconds.
    pub lasted_ns: Nanoseconds,
    /// The part of all CPUs' time in which anything ran.
    pub busy_share: f64,
    /// What ran most, with its part of one CPU, e.g. `rustc (4321) 87.0 %`.
    #[serde(default)]
    pub running: Vec<String>,
    /// The power of each domain, by each source.
    pub power: Vec<DomainPower>,
}

/// Mean power of one domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainPower {
    /// Whose, e.g. `package-0`.
    pub domain: String,
    /// Which source measured it.
    pub source: String,
    /// The mean, in watts.
    pub watts: Watts,
    /// Its standard error, from how the seconds of the measurement differed, in watts.
    pub standard_error_watts: Watts,
}

/// Why there is no calibration to be used.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// The system refused.
    #[error("cannot {action} the calibration {}: {why}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The refusal.
        why: io::Error,
    },
    /// It is no calibration.
    #[error("{} is no calibration: {why}; take one with `energy-prof calibrate`", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is of a newer format.
    #[error(
        "{} has calibration schema {found}, and this energy-prof reads up to {CALIBRATION_VERSION}; take one \
         with `energy-prof calibrate`",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is of another machine.
    #[error(
        "the calibration {} is of another machine ({differs}); take one of this machine with `energy-prof \
         calibrate`",
        .path.display()
    )]
    OtherMachine {
        /// The file.
        path: PathBuf,
        /// What differs, and how.
        differs: String,
    },
}

impl HostIdentity {
    /// Of the machine that `facts` are about, whose id is in `machine_id`.
    pub fn of(facts: &HostFacts, machine_id: &Path) -> Self {
        let id = fs::read_to_string(machine_id).ok();
        let id = id.filter(|id| !id.trim().is_empty()).map(|id| derived_id(id.trim()));
        Self {
            id,
            hostname: facts.hostname.clone(),
            cpu_model: facts.cpu_model.clone().unwrap_or_default(),
            cpus: facts.cpus,
        }
    }

    /// What shows that `other` is another machine. A name may change, so it counts only where there is
    /// no id.
    fn differs_from(&self, other: &Self) -> Option<String> {
        let but = |what: &str, theirs: &str, ours: &str| {
            Some(format!("its {what} is {theirs:?}, and this machine's {ours:?}"))
        };
        if self.cpu_model != other.cpu_model {
            return but("processor", &self.cpu_model, &other.cpu_model);
        }
        if self.cpus != other.cpus {
            return Some(format!("it has {} CPUs, and this machine {}", self.cpus, other.cpus));
        }
        match (&self.id, &other.id) {
            (Some(theirs), Some(ours)) if theirs != ours => but("id", theirs, ours),
            (Some(_), Some(_)) => None,
            _ if self.hostname != other.hostname => but("name", &self.hostname, &other.hostname),
            _ => None,
        }
    }
}

/// What all packages drew, by the first source that measured them.
fn packages(point: &LoadPoint) -> f64 {
    let packages = point.power.iter().filter(|power| power.domain.starts_with("package"));
    let first = packages.clone().next().map(|power| power.source.as_str());
    packages.filter(|power| Some(power.source.as_str()) == first).map(|it| it.watts.get()).sum()
}

/// A machine's id that does not tell the one it is derived from. FNV-1a, 64 bits: it only has to differ.
fn derived_id(machine_id: &str) -> String {
    let bytes = b"energy-prof:".iter().chain(machine_id.as_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

impl Calibration {
    /// The calibration in `path`, if it is one of the machine `host`.
    pub fn load(path: &Path, host: &HostIdentity) -> Result<Self, CalibrationError> {
        let refused = |why| CalibrationError::File { action: "read", path: path.to_owned(), why };
        let text = fs::read_to_string(path).map_err(refused)?;
        let damaged = |why: serde_json::Error| CalibrationError::Damaged {
            path: path.to_owned(),
            why: why.to_string(),
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
        // The version is looked at before the rest, which a newer one may have in another shape.
        let version = value.get("schema_version").and_then(serde_json::Value::as_u64).unwrap_or(1);
        if version > u64::from(CALIBRATION_VERSION) {
            let found = u32::try_from(version).unwrap_or(u32::MAX);
            return Err(CalibrationError::Newer { path: path.to_owned(), found });
        }
        let calibration: Self = serde_json::from_value(value).map_err(damaged)?;
        match calibration.host.differs_from(host) {
            Some(differs) => Err(CalibrationError::OtherMachine { path: path.to_owned(), differs }),
            None => Ok(calibration),
        }
    }

    /// What a CPU second beside a busy sibling drew, as part of one that had its core alone; `None` where two CPUs of each
    /// core were not measured, or nothing was above idle. `cores` is how many the machine has.
    pub fn smt_factor(&self, cores: u32) -> Option<f64> {
        let of_each = self.active.iter().find(|point| point.busy_cpus == cores)?;
        let of_all = self.active.iter().find(|point| point.busy_cpus == 2 * cores)?;
        let above_idle = |point: &LoadPoint| packages(point) - packages(&self.idle);
        let (of_each, of_all) = (above_idle(of_each), above_idle(of_all));
        (of_each > 0.0).then(|| of_all / (2.0 * of_each))
    }

    /// Writes it to `path` as a whole, and makes the directory it is in.
    pub fn save(&self, path: &Path) -> Result<(), CalibrationError> {
        let refused = |why| CalibrationError::File { action: "write", path: path.to_owned(), why };
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(refused)?;
        let mut file = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(directory)
            .map_err(refused)?;
        let mut json =
            serde_json::to_vec_pretty(self).expect("a calibration has only JSON's types");
        json.push(b'\n');
        file.write_all(&json).map_err(refused)?;
        file.persist(path).map_err(|error| refused(error.error))?;
        Ok(())
    }

    /// What `source` measured while nothing ran, by domain.
    pub fn idle_of(&self, source: &str) -> impl Iterator<Item = (DomainId, Watts)> {
        self.idle.power.iter().filter(move |power| power.source == source).filter_map(|power| {
            let watts = power.watts.get();
            let plausible = watts.is_finite() && watts >= 0.0;
            Some((power.domain.parse().ok().filter(|_| plausible)?, power.watts))
        })
    }

    /// Where this user's calibration is kept: root's is the machine's. `environment` gives variables.
    pub fn usual_place(
        is_root: bool,
        environment: &dyn Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Option<PathBuf> {
        if is_root {
            return Some(PathBuf::from(OF_ROOT));
        }
        let absolute =
            |name| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        state.map(|state| state.join(OF_USER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostIdentity {
        HostIdentity {
            id: Some(derived_id("0123")),
            hostname: "bench".to_owned(),
            cpu_model: "Example CPU".to_owned(),
            cpus: 8,
        }
    }

    fn calibration() -> Calibration {
        Calibration {
            schema_version: CALIBRATION_VERSION,
            tool: "energy-prof 0.1.0".to_owned(),
            host: host(),
            taken_utc_ns: WallTime::from_epoch_nanos(1_795_418_040_000_000_000),
            taken_utc: "2026-11-23T07:14:00Z".to_owned(),
            idle: LoadPoint {
                busy_cpus: 0,
                lasted_ns: Nanoseconds::from_millis(10_000),
                busy_share: 0.0042,
                running: Vec::new(),
                power: vec![DomainPower {
                    domain: "package-0".to_owned(),
                    source: "rapl-powercap".to_owned(),
                    watts: Watts::new(5.0),
                    standard_error_watts: Watts::new(0.01),
                }],
            },
            active: Vec::new(),
        }
    }

    fn refused(file: &str, host: &HostIdentity) -> String {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("calibration.json");
        fs::write(&path, file).unwrap();
        Calibration::load(&path, host).unwrap_err().to_string()
    }

    #[test]
    fn a_calibration_survives_its_file_and_the_directory_is_made() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state/energy-prof/calibration.json");
        calibration().save(&path).unwrap();
        assert_eq!(Calibration::load(&path, &host()).unwrap(), calibration());
        let idle: Vec<_> = calibration().idle_of("rapl-powercap").collect();
        assert_eq!(idle, [("package-0".parse().unwrap(), Watts::new(5.0))]);
        assert_eq!(calibration().idle_of("rapl-perf").count(), 0, "another counter may differ");
    }

    #[test]
    fn a_calibration_of_another_machine_is_refused_and_says_why() {
        let file = serde_json::to_string(&calibration()).unwrap();
        for (other, told) in [
            (
                HostIdentity { cpu_model: "Other CPU".to_owned(), ..host() },
                "\"Example CPU\", and this",
            ),
            (HostIdentity { cpus: 4, ..host() }, "it has 8 CPUs, and this machine 4"),
            (HostIdentity { id: Some(derived_id("4567")), ..host() }, "its id is"),
            (
                HostIdentity { id: None, hostname: "other".to_owned(), ..host() },
                "its name is \"bench\"",
            ),
        ] {
            let said = refused(&file, &other);
            assert!(said.contains("of another machine") && said.contains(told), "{said}");
        }
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("c.json");
        calibration().save(&path).unwrap();
        let renamed = HostIdentity { hostname: "renamed".to_owned(), ..host() };
        assert!(Calibration::load(&path, &renamed).is_ok(), "its id is the same");
    }

    #[test]
    fn what_is_no_calibration_is_refused() {
        assert!(refused("{", &host()).contains("is no calibration"));
        assert!(refused("{}", &host()).contains("is no calibration"));
        assert!(refused(r#"{"schema_version":2,"x":1}"#, &host()).contains("schema 2"));
    }

    #[test]
    fn roots_calibration_is_the_machines_and_a_users_is_in_their_state() {
        let home = |name: &str| (name == "HOME").then(|| "/home/ada".into());
        let state = |name: &str| (name == "XDG_STATE_HOME").then(|| "/s".into());
        let place = |is_root, environment| Calibration::usual_place(is_root, environment);
        assert_eq!(place(true, &home), Some(PathBuf::from(OF_ROOT)));
        let in_home = "/home/ada/.local/state/energy-prof/calibration.json";
        assert_eq!(place(false, &home), Some(PathBuf::from(in_home)));
        assert_eq!(place(false, &state), Some(PathBuf::from("/s/energy-prof/calibration.json")));
        assert_eq!(place(false, &|_| None), None);
    }

    #[test]
    fn what_a_busy_sibling_is_worth_is_seen_from_one_and_two_threads_on_every_core() {
        let mut calibration = calibration();
        let idle = calibration.idle.clone();
        let point = |busy_cpus, watts| {
            let power = vec![DomainPower { watts: Watts::new(watts), ..idle.power[0].clone() }];
            LoadPoint { busy_cpus, power, ..idle.clone() }
        };
        calibration.active = vec![point(1, 15.0), point(4, 45.0), point(8, 51.0)];
        // 40 W above idle with four, 46 W with eight: 0.575 each.
        assert!((calibration.smt_factor(4).unwrap() - 0.575).abs() < 1e-12);
        assert_eq!(calibration.smt_factor(8), None, "16 CPUs were not measured");
        calibration.active.clear();
        assert_eq!(calibration.smt_factor(4), None);
    }
}
