//! Call trees written down by hand, with numbers a reader can check.

use energy_prof::model::{Provenance, ThreadId};
use energy_prof::profile::{
    CallNode, CallTree, ErrorSum, FrameRef, FunctionFrame, Moment, NodeKind, StackShare,
};
use energy_prof::units::{Microjoules, Nanoseconds};

/// A node below the one before it that is one level higher: depth, frame, own µJ.
pub(crate) type Entry = (usize, FunctionFrame, u64);

pub(crate) fn frame(name: &str, kind: NodeKind, module: &str, source: &str) -> FunctionFrame {
    let (file, line) = source
        .split_once(':')
        .map_or((None, None), |(file, line)| (Some(file.to_owned()), line.parse().ok()));
    let module = (!module.is_empty()).then(|| module.to_owned());
    FunctionFrame { name: name.to_owned(), module, file, line, kind }
}

/// A tree of these entries below the root. A joule takes 0.2 s and 20 samples;
/// the errors but for those of sampling are 2.5 %. Each process has one thread.
pub(crate) fn tree(entries: &[Entry]) -> CallTree {
    let root = (0, frame("all", NodeKind::All, "", ""), 0);
    let mut tree = CallTree::default();
    let mut above: Vec<usize> = Vec::new();
    let mut thread = ThreadId::FIRST;
    for (depth, frame, own) in std::iter::once(&root).chain(entries) {
        above.truncate(*depth);
        tree.nodes.push(CallNode {
            parent: above.last().copied(),
            frame: FrameRef(tree.frames.len()),
            self_energy: Microjoules::new(*own),
            self_oncpu: Nanoseconds::new(own * 200),
            samples: own * 20 / 1_000_000,
            self_error: error(own / 40).standard(),
        });
        if let NodeKind::Process { pid } = frame.kind {
            thread = ThreadId(pid);
        }
        if *own > 0 {
            tree.shares.push(StackShare {
                thread,
                node: tree.nodes.len() - 1,
                energy: Microjoules::new(*own),
                oncpu: Nanoseconds::new(own * 200),
                samples: own * 20 / 1_000_000,
                error: error(own / 40),
                direction: None,
            });
        }
        above.push(tree.nodes.len() - 1);
        tree.frames.push(frame.clone());
    }
    // The first three quarters in the first window, the rest in the second.
    for (share, StackShare { energy, oncpu, .. }) in tree.shares.iter().enumerate() {
        let first = Microjoules::new(energy.get() / 4 * 3);
        let rest = energy.checked_sub(first).unwrap();
        tree.moments.push(Moment { window: 0, share, energy: first, oncpu: *oncpu });
        tree.moments.push(Moment { window: 1, share, energy: rest, oncpu: Nanoseconds::ZERO });
    }
    tree.moments.sort_unstable();
    tree
}

fn error(microjoules: u64) -> ErrorSum {
    let error = Microjoules::new(microjoules);
    let mut sum = ErrorSum::default();
    sum.add(error, error, Provenance::Measured);
    sum
}

/// Two compilers under `make`, of the recording `build`.
pub(crate) fn compilers() -> CallTree {
    const CC1: &str = "/usr/lib/gcc/cc1";
    let process = |name: &str, pid| frame(name, NodeKind::Process { pid }, "", "");
    let user = |name: &str, source| frame(name, NodeKind::User, CC1, source);
    tree(&[
        (1, process("make -j2 (pid 100)", 100), 0),
        (2, frame("tick", NodeKind::Kernel, "[kernel]", ""), 5),
        (1, process("cc1 first.c (pid 101)", 101), 0),
        (2, user("main", "gcc/main.cc:20"), 500_000),
        (3, user("parse", "gcc/parse.cc:70"), 12_000_000),
        (4, frame("sum<[u8; 8]>", NodeKind::Inlined, CC1, "gcc/hash.h:9"), 250_000),
        (3, user("optimize", "gcc/tree.cc:900"), 8_000_000 - 30_000),
        (4, frame("worker 3", NodeKind::Jit, "", ""), 30_000),
        (2, frame("[unsampled]", NodeKind::Unsampled, "", ""), 1_000_000),
        (1, process("cc1 second.c (pid 102)", 102), 0),
        (2, frame("memcpy", NodeKind::User, "/lib/libc.so", ""), 150_000),
        (2, frame("memcpy", NodeKind::User, CC1, ""), 50_000),
    ])
}

/// One program with joules in optimize, memcpy and hash; two recordings differ in its pid.
pub(crate) fn library(joules: [u64; 3]) -> CallTree {
    let pid = u32::try_from(100 + joules[0]).unwrap();
    let process = frame(&format!("app (pid {pid})"), NodeKind::Process { pid }, "", "");
    let functions = ["optimize", "memcpy", "hash"].into_iter().zip(joules);
    let functions = functions.map(|(name, joules)| {
        (2, frame(name, NodeKind::User, "/usr/bin/app", ""), joules * 1_000_000)
    });
    tree(&std::iter::once((1, process, 0)).chain(functions).collect::<Vec<_>>())
}
