//! Where each process's code comes from, so that an address can be turned into a place in a file,
//! which still means something when the process is gone.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs;

use super::made_code::MadeCode;
use super::objects::{ObjectId, Objects};
use crate::probes::Mapped;

/// What an address is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// The kernel, at this address.
    Kernel(u64),
    /// A file, at this offset.
    File(ObjectId, u64),
    /// Memory of a process that no file stands behind: code made while running.
    Memory {
        /// The process.
        tgid: u32,
        /// The address.
        address: u64,
    },
    /// Nothing that is known to be code: where walking a program without frame pointers goes astray.
    Nowhere,
}

/// A mapping, by its start.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    end: u64,
    offset: u64,
    object: Option<ObjectId>,
}

/// One process's code, by where it starts.
type Space = BTreeMap<u64, Mapping>;

/// The code of all sampled processes.
#[derive(Debug, Default)]
pub(super) struct AddressSpaces {
    spaces: HashMap<u32, Space>,
    objects: Objects,
    made: MadeCode,
}

impl AddressSpaces {
    /// Takes note of a mapping. Only those of processes that are followed, or have been sampled,
    /// are kept: the others are read from `/proc` if they are sampled one day.
    pub(super) fn add(&mut self, mapped: &Mapped) {
        let Some(space) = self.spaces.get_mut(&mapped.tgid) else { return };
        if self.made.mapped(mapped.tgid, &mapped.path) {
            return;
        }
        let object = self.objects.find(mapped.tgid, &mapped.path, mapped.build_id.clone());
        insert(space, mapped.start, Mapping { end: mapped.end, offset: mapped.offset, object });
    }

    /// Follows a process from its beginning: with its parent's mappings.
    pub(super) fn fork(&mut self, parent: u32, child: u32) {
        self.made.fork(parent, child);
        if let Some(space) = self.spaces.get(&parent).cloned() {
            self.spaces.insert(child, space);
        }
    }

    /// Follows a process that has become another program: its old mappings are gone. Its new ones
    /// are told by the kernel, and must be [`Self::add`]ed after this.
    pub(super) fn exec(&mut self, tgid: u32, user: u32) {
        self.made.exec(tgid, user);
        self.objects.hold_program(tgid);
        self.spaces.insert(tgid, Space::new());
    }

    /// Takes note of a process's end. Samples of it may still come.
    pub(super) fn exit(&mut self, tgid: u32) {
        self.made.exit(tgid);
    }

    /// Forgets a process.
    pub(super) fn forget(&mut self, tgid: u32) {
        self.spaces.remove(&tgid);
    }

    /// What user address `address` of process `tgid` is in; [`Place::Nowhere`] where no code is
    /// mapped.
    pub(super) fn place(&mut self, tgid: u32, address: u64) -> Place {
        if let Entry::Vacant(unknown) = self.spaces.entry(tgid) {
            unknown.insert(Space::new());
            self.read_maps(tgid);
        }
        let found = self.spaces.get(&tgid).and_then(|space| {
            let (start, mapping) = space.range(..=address).next_back()?;
            let file = |object| Place::File(object, address - start + mapping.offset);
            (address < mapping.end)
                .then(|| mapping.object.map_or(Place::Memory { tgid, address }, file))
        });
        if let Some(Place::Memory { .. }) = found {
            self.made.visit(tgid);
        }
        found.unwrap_or(Place::Nowhere)
    }

    /// The files.
    pub(super) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What processes wrote about code that they made.
    pub(super) fn made(&self) -> &MadeCode {
        &self.made
    }

    fn read_maps(&mut self, tgid: u32) {
        let Ok(maps) = fs::read_to_string(format!("/proc/{tgid}/maps")) else { return };
        for (start, end, offset, path) in maps.lines().filter_map(executable) {
            if self.made.mapped(tgid, path) {
                continue;
            }
            let object = self.objects.find(tgid, path, None);
            if let Some(space) = self.spaces.get_mut(&tgid) {
                insert(space, start, Mapping { end, offset, object });
            }
        }
    }
}

/// Puts a mapping where whatever was there before is gone.
fn insert(space: &mut Space, start: u64, mapping: Mapping) {
    let covered: Vec<u64> = space
        .range(..mapping.end)
        .rev()
        .take_while(|(_, other)| other.end > start)
        .map(|(at, _)| *at)
        .collect();
    for at in covered {
        let Some(other) = space.remove(&at) else { continue };
        if at < start {
            space.insert(at, Mapping { end: start, ..other });
        }
        if other.end > mapping.end {
            let offset = other.offset + (mapping.end - at);
            space.insert(mapping.end, Mapping { offset, ..other });
        }
    }
    space.insert(start, mapping);
}

/// An executable mapping in a line of `/proc/PID/maps`: start, end, offset, path.
fn executable(line: &str) -> Option<(u64, u64, u64, &str)> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    if !fields.next()?.contains('x') {
        return None;
    }
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
    let offset = hexadecimal(fields.next()?)?;
    let path = fields.nth(2).unwrap_or_default().trim_start();
    Some((hexadecimal(start)?, hexadecimal(end)?, offset, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(end: u64, offset: u64, object: u32) -> Mapping {
        Mapping { end, offset, object: Some(ObjectId(object)) }
    }

    #[test]
    fn a_new_mapping_takes_the_place_of_what_it_covers() {
        let mut space = Space::new();
        insert(&mut space, 0x1000, mapping(0x5000, 0, 1));
        insert(&mut space, 0x2000, mapping(0x3000, 0x100, 2));
        let shown: Vec<_> =
            space.iter().map(|(start, m)| (*start, m.end, m.offset, m.object.unwrap().0)).collect();
        assert_eq!(
            shown,
            [(0x1000, 0x2000, 0, 1), (0x2000, 0x3000, 0x100, 2), (0x3000, 0x5000, 0x2000, 1)]
        );
    }

    #[test]
    fn lines_of_proc_maps_are_read() {
        let line = "7f0000001000-7f0000002000 r-xp 00001000 fe:00 1234      /usr/lib/a file.so";
        assert_eq!(
            executable(line),
            Some((0x7f00_0000_1000, 0x7f00_0000_2000, 0x1000, "/usr/lib/a file.so"))
        );
        assert_eq!(executable("1000-2000 rw-p 0 00:00 0 [heap]"), None);
        assert_eq!(executable("1000-2000 r-xp 0 00:00 0"), Some((0x1000, 0x2000, 0, "")));
        assert_eq!(executable("nonsense"), None);
    }

    #[test]
    fn an_address_of_this_process_is_in_its_executable() {
        let mut spaces = AddressSpaces::default();
        let here = an_address_of_this_process_is_in_its_executable as fn() as usize as u64;
        let Place::File(object, _) = spaces.place(std::process::id(), here) else {
            panic!("the test is a program");
        };
        let exe = std::env::current_exe().unwrap();
        assert_eq!(spaces.objects().get(object).path, exe.to_string_lossy());
    }
}
