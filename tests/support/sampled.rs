//! A build of which it is known where in the compilers the time went.

use energy_prof::model::{Frame, FrameKind};

use super::in_memory::{DRAM, InMemory, PACKAGE, build};

/// A frame of the program `module`.
pub(crate) fn user(function: &str, module: &str, place: Option<(&str, u32)>) -> Frame {
    Frame {
        function: Some(function.to_owned()),
        file: place.map(|(file, _)| format!("/src/{file}")),
        line: place.map(|(_, line)| line),
        module: Some(format!("/usr/bin/{module}")),
        build_id: None,
        file_offset: Some(0x1000),
        function_offset: None,
        kind: FrameKind::User,
    }
}

/// A frame of the kernel.
pub(crate) fn kernel(function: &str) -> Frame {
    Frame {
        module: Some("[kernel]".to_owned()),
        kind: FrameKind::Kernel,
        ..user(function, "", None)
    }
}

/// [`build`] with stacks of the two compilers; `make` runs too little to be sampled.
///
/// Per window `first.c`'s compiler (thread 3) has 5.5 J in 1 s, `second.c`'s (thread 4) 2.75 J in 0.5 s
/// and `make` 0.55 J in 0.1 s: 22 J, 11 J and 2.2 J in all. The stacks:
///
/// 1. `main`:20 → `parse`:7
/// 2. `main`:21 → `fold`:40 → `fold`:41 → `hash`:9, inlined
/// 3. `main`:20 → `parse`:8 → kernel: `page_fault` → `clear_page`
/// 4. the same as 1, but of other code of `parse`: line 9
///
/// Thread 3 is in every window half at 1, three tenths at 2 and two tenths at 3: 11 J, 6.6 J and
/// 4.4 J. Thread 4 is at 4 in the first and the last second of work and nowhere between: 11 J.
pub(crate) fn sampled_build() -> InMemory {
    let mut recording = build();
    let main = |line| user("main", "cc1", Some(("main.c", line)));
    let parse = |line| user("parse", "cc1", Some(("parse.c", line)));
    let fold = |line| user("fold", "cc1", Some(("fold.c", line)));
    let hash = Frame { kind: FrameKind::Inlined, ..user("hash", "cc1", Some(("hash.h", 9))) };
    recording
        .stack(1, vec![main(20), parse(7)])
        .stack(2, vec![main(21), fold(40), fold(41), hash])
        .stack(3, vec![main(20), parse(8), kernel("page_fault"), kernel("clear_page")])
        .stack(4, vec![main(20), parse(9)]);
    let recorded = std::mem::take(&mut recording.windows);
    for window in recorded {
        let index = window.index;
        recording.windows.push(window);
        if index == 0 {
            continue;
        }
        recording.sampled(&[(3, 2, 300, 30), (3, 1, 500, 50), (3, 3, 200, 20)]);
        if index == 1 || index == 4 {
            recording.sampled(&[(4, 4, 500, 50)]);
        }
    }
    recording
}

/// One process on one CPU, 10 J a second and all of it active, with these windows: what it ran for
/// and where it was, in milliseconds.
pub(crate) fn one_thread(windows: &[(u64, &[(u32, u64)])]) -> InMemory {
    let mut recording = InMemory::new(1);
    recording.thread(2, super::in_memory::leader(50, 1, "job"));
    for stack in 1..=3 {
        recording.stack(stack, vec![user(&format!("f{stack}"), "job", None)]);
    }
    for (ran, stacks) in windows {
        let energy = [(PACKAGE, Some((1000, 0))), (DRAM, None)];
        recording.window(100, &energy, &[(2, 0, *ran), (0, 0, 100 - ran)]);
        for (stack, milliseconds) in *stacks {
            recording.sampled(&[(2, *stack, *milliseconds, 1)]);
        }
    }
    recording
}
