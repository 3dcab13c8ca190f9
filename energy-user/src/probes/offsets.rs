//! Where this kernel keeps the fields the programs read, from its own type information.
//! Without BTF (`/sys/kernel/btf/vmlinux`) every offset is 0: forks and cgroup changes then go
//! unseen, and threads are named from `/proc` and at their exec and exit.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use btf_rs::{Backend, Btf, BtfType, Struct, Type};
use energy_ebpf::config::Offsets;
use nix::sys::memfd::{MFdFlags, memfd_create};

/// The kernel's offsets; `None` where it offers no readable BTF.
pub(super) fn from_btf(path: &Path) -> Option<Offsets> {
    let mapped = |path: &Path| Btf::from_file_with_backend(path, Backend::Mmap).ok();
    let btf = mapped(path).or_else(|| {
        // It can be mapped since Linux 6.16; before, a copy of it can.
        let copy = memfd_create(c"btf", MFdFlags::MFD_CLOEXEC).ok()?;
        let mut copy = File::from(copy);
        io::copy(&mut File::open(path).ok()?, &mut copy).ok()?;
        mapped(Path::new(&format!("/proc/self/fd/{}", copy.as_raw_fd())))
    })?;
    let of = |structure: &str, field: &str| offset(&btf, structure, field).unwrap_or(0);
    let inside = |member: &str, structure: &str, field: &str| {
        offset(&btf, "task_struct", member)
            .zip(offset(&btf, structure, field))
            .map_or(0, |(member, field)| member + field)
    };
    Some(Offsets {
        task_pid: of("task_struct", "pid"),
        task_tgid: of("task_struct", "tgid"),
        task_start_time: of("task_struct", "start_time"),
        task_cpu_time: inside("se", "sched_entity", "sum_exec_runtime"),
        task_exec_start: inside("se", "sched_entity", "exec_start"),
        task_last_arrival: inside("sched_info", "sched_info", "last_arrival"),
        task_fair_queue: inside("se", "sched_entity", "cfs_rq"),
        fair_queue_runqueue: of("cfs_rq", "rq"),
        runqueue_clock: of("rq", "clock"),
        runqueue_clock_task: of("rq", "clock_task"),
        task_mm: of("task_struct", "mm"),
        mm_arg_start: of("mm_struct", "arg_start"),
        mm_arg_end: of("mm_struct", "arg_end"),
        binprm_filename: of("linux_binprm", "filename"),
        cgroup_kn: of("cgroup", "kn"),
        cgroup_root: of("cgroup", "root"),
        cgroup_root_hierarchy: of("cgroup_root", "hierarchy_id"),
        kernfs_id: of("kernfs_node", "id"),
        registers_ip: of("pt_regs", "ip"),
        registers_sp: of("pt_regs", "sp"),
        registers_bp: of("pt_regs", "bp"),
    })
}

/// The byte offset of `field` in `structure`, also inside members without a name.
fn offset(btf: &Btf, structure: &str, field: &str) -> Option<u32> {
    btf.resolve_types_by_name(structure).ok()?.into_iter().find_map(|found| match found {
        Type::Struct(found) => bits_to(btf, &found, field).map(|bits| bits / 8),
        _ => None,
    })
}

fn bits_to(btf: &Btf, structure: &Struct, field: &str) -> Option<u32> {
    structure.members.iter().find_map(|member| {
        let name = btf.resolve_name(member).unwrap_or_default();
        if name == field {
            return Some(member.bit_offset());
        }
        if !name.is_empty() || member.get_type_id().is_none() {
            return None;
        }
        match btf.resolve_chained_type(member).ok()? {
            Type::Struct(inner) | Type::Union(inner) => {
                bits_to(btf, &inner, field).map(|bits| member.bit_offset() + bits)
            }
            _ => None,
        }
    })
}
