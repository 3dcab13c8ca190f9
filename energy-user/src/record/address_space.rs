//! Where each process's code comes from, so that an address can be turned into a place in a file,
//! which still means something when the process is gone.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs;

use super::made_code::MadeCode;
use super::objects::{ObjectId, Objects};
use crate::probes::{CodeChange, Mapped, StackCopy};
use crate::symbols::{UnwindCache, UnwindInfo, UnwindStart, Unwinder, VDSO};

/// Frames of a program's stack at most: as many as the kernel follows by frame pointers.
pub(super) const MOST_FRAMES: usize = 127;

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
type Mappings = BTreeMap<u64, Mapping>;

/// One process's code, and who follows its calls once that is asked for.
#[derive(Debug, Default)]
struct Space {
    mappings: Mappings,
    /// Made anew after each change.
    unwinder: Option<Unwinder>,
}

impl Space {
    fn insert(&mut self, start: u64, mapping: Mapping) {
        insert(&mut self.mappings, start, mapping);
        self.unwinder = None;
    }
}

/// The code of all sampled processes.
#[derive(Debug, Default)]
pub(super) struct AddressSpaces {
    spaces: HashMap<u32, Space>,
    objects: Objects,
    unwind_info: HashMap<ObjectId, Option<UnwindInfo>>,
    unwind_cache: UnwindCache,
    made: MadeCode,
}

impl AddressSpaces {
    /// Takes note of what has become of a process's code. Programs of processes for which that
    /// `is_wanted` are followed from their exec on; all others are read from `/proc` if they are
    /// sampled one day.
    pub(super) fn apply(&mut self, change: &CodeChange, is_wanted: impl Fn(u32) -> bool) {
        match change {
            CodeChange::Mapped(mapped) => self.add(mapped),
            CodeChange::Forked { parent, tgid } => self.fork(*parent, *tgid),
            CodeChange::Exec { tgid } if is_wanted(*tgid) => {
                self.spaces.insert(*tgid, Space::default());
            }
            CodeChange::Exec { tgid } => self.forget(*tgid),
        }
    }

    /// Takes note of a process that has just begun as a copy of another.
    pub(super) fn begin(&mut self, parent: u32, child: u32) {
        self.made.fork(parent, child);
    }

    /// Takes note of a process that has just become another program, as a user, and opens that
    /// program while it is there.
    pub(super) fn exec(&mut self, tgid: u32, user: u32) {
        self.made.exec(tgid, user);
        self.objects.hold_program(tgid);
    }

    fn add(&mut self, mapped: &Mapped) {
        let Some(space) = self.spaces.get_mut(&mapped.tgid) else { return };
        if self.made.mapped(mapped.tgid, &mapped.path) {
            return;
        }
        let object = if is_narrow_vdso(mapped.start, &mapped.path) {
            None
        } else {
            self.objects.find(mapped.tgid, &mapped.path, mapped.build_id.clone())
        };
        space.insert(mapped.start, Mapping { end: mapped.end, offset: mapped.offset, object });
    }

    fn fork(&mut self, parent: u32, child: u32) {
        if let Some(space) = self.spaces.get(&parent) {
            let mappings = space.mappings.clone();
            self.spaces.insert(child, Space { mappings, unwinder: None });
        } else {
            // Whoever had this id before is gone.
            self.forget(child);
        }
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
        self.know(tgid);
        let found = self.spaces.get(&tgid).and_then(|space| {
            let (start, mapping) = space.mappings.range(..=address).next_back()?;
            let file = |object| Place::File(object, address - start + mapping.offset);
            (address < mapping.end)
                .then(|| mapping.object.map_or(Place::Memory { tgid, address }, file))
        });
        if let Some(Place::Memory { .. }) = found {
            self.made.visit(tgid);
        }
        found.unwrap_or(Place::Nowhere)
    }

    /// The addresses on a copied stack of process `tgid`: where it was, then where its calls return
    /// to, the innermost first.
    pub(super) fn unwound(&mut self, tgid: u32, copy: &StackCopy) -> Vec<u64> {
        if copy.stack == 0 {
            return Vec::new();
        }
        self.know(tgid);
        let Self { spaces, objects, unwind_info, unwind_cache, .. } = self;
        let Some(space) = spaces.get_mut(&tgid) else { return Vec::new() };
        let unwinder = space.unwinder.get_or_insert_with(|| {
            let mut unwinder = Unwinder::default();
            for (start, mapping) in &space.mappings {
                let Some(object) = mapping.object else { continue };
                let info =
                    unwind_info.entry(object).or_insert_with(|| objects.get(object).unwind_info());
                if let Some(info) = info {
                    unwinder.add(info, &(*start..mapping.end), mapping.offset);
                }
            }
            unwinder
        });
        let start =
            UnwindStart { instruction: copy.instruction, stack: copy.stack, frame: copy.frame };
        unwinder.addresses(unwind_cache, start, &copy.bytes, MOST_FRAMES)
    }

    /// Reads the mappings of a process of which nothing is known yet.
    fn know(&mut self, tgid: u32) {
        if let Entry::Vacant(unknown) = self.spaces.entry(tgid) {
            unknown.insert(Space::default());
            self.read_maps(tgid);
        }
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
        for Executable { start, end, offset, inode, path } in maps.lines().filter_map(executable) {
            if self.made.mapped(tgid, path) {
                continue;
            }
            let object = if is_narrow_vdso(start, path) {
                None
            } else {
                self.objects.find_mapped(tgid, path, inode)
            };
            if let Some(space) = self.spaces.get_mut(&tgid) {
                space.insert(start, Mapping { end, offset, object });
            }
        }
    }
}

/// Whether it is the vDSO of a 32-bit process, which is another one than the recorder's own.
fn is_narrow_vdso(start: u64, path: &str) -> bool {
    path == VDSO && u32::try_from(start).is_ok()
}

/// Puts a mapping where whatever was there before is gone.
fn insert(space: &mut Mappings, start: u64, mapping: Mapping) {
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

/// An executable mapping in `/proc/PID/maps`.
#[derive(Debug, PartialEq, Eq)]
struct Executable<'a> {
    start: u64,
    end: u64,
    offset: u64,
    inode: u64,
    path: &'a str,
}

fn executable(line: &str) -> Option<Executable<'_>> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    if !fields.next()?.contains('x') {
        return None;
    }
    let hexadecimal = |text: &str| u64::from_str_radix(text, 16).ok();
    Some(Executable {
        start: hexadecimal(start)?,
        end: hexadecimal(end)?,
        offset: hexadecimal(fields.next()?)?,
        inode: fields.nth(1)?.parse().ok()?,
        path: fields.next().unwrap_or_default().trim_start(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(end: u64, offset: u64, object: u32) -> Mapping {
        Mapping { end, offset, object: Some(ObjectId(object)) }
    }

    #[test]
    fn a_new_mapping_takes_the_place_of_what_it_covers() {
        let mut space = Mappings::new();
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
    fn the_vdso_of_a_32_bit_process_is_not_taken_for_the_64_bit_one() {
        let mut spaces = AddressSpaces::default();
        let mapped = |start| Mapped {
            tgid: 1,
            start,
            end: start + 0x1000,
            offset: 0,
            path: VDSO.to_owned(),
            build_id: None,
        };
        let (narrow, wide) = (0xf7fc_1000, 0x7fff_f7fc_1000);
        spaces.apply(&CodeChange::Exec { tgid: 1 }, |_| true);
        for start in [narrow, wide] {
            spaces.apply(&CodeChange::Mapped(mapped(start)), |_| true);
        }
        assert_eq!(spaces.place(1, narrow + 8), Place::Memory { tgid: 1, address: narrow + 8 });
        let Place::File(vdso, 8) = spaces.place(1, wide + 8) else { panic!("it has an object") };
        assert_eq!(spaces.objects().get(vdso).path, VDSO);
    }

    #[test]
    fn lines_of_proc_maps_are_read() {
        let line = "7f0000001000-7f0000002000 r-xp 00001000 fe:00 1234      /usr/lib/a file.so";
        assert_eq!(
            executable(line),
            Some(Executable {
                start: 0x7f00_0000_1000,
                end: 0x7f00_0000_2000,
                offset: 0x1000,
                inode: 1234,
                path: "/usr/lib/a file.so",
            })
        );
        assert_eq!(executable("1000-2000 rw-p 0 00:00 0 [heap]"), None);
        let anonymous = executable("1000-2000 r-xp 0 00:00 0").unwrap();
        assert_eq!((anonymous.inode, anonymous.path), (0, ""));
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
