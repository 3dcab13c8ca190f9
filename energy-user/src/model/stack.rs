//! Stacks: where in its program a thread was when it was sampled.

use std::fmt;
use std::str::FromStr;

use crate::units::Nanoseconds;

use super::ThreadId;

/// A stack's number in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(pub u32);

/// What a frame is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameKind {
    /// A function of a program or library.
    User,
    /// A function inlined into the frame before it.
    Inlined,
    /// A function of the kernel.
    Kernel,
    /// Code that was made while running, named by its maker or not at all.
    Jit,
}

impl FrameKind {
    const ALL: [Self; 4] = [Self::User, Self::Inlined, Self::Kernel, Self::Jit];

    /// The name used in the trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Inlined => "inlined",
            Self::Kernel => "kernel",
            Self::Jit => "jit",
        }
    }
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FrameKind {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// One frame of a stack. What is not known is `None`; the offset is kept beside the name, so that a
/// better name can be found later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// The function's name, demangled.
    pub function: Option<String>,
    /// The source file.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
    /// The object the code is in: a path, `[kernel]`, or a kernel module's name.
    pub module: Option<String>,
    /// The object's build id in hexadecimal.
    pub build_id: Option<String>,
    /// Where in the object's file the code is; for the kernel, its address.
    pub file_offset: Option<u64>,
    /// Of a function without a name: where in the object's file it begins, where that is known.
    pub function_offset: Option<u64>,
    /// What it is of.
    pub kind: FrameKind,
}

impl Frame {
    /// What reports call it: its function, else its object and where in it the function begins, or
    /// where it was if that is not known, else `[unknown]`.
    pub fn name(&self) -> String {
        let object = self.module.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path));
        match (&self.function, object, self.function_offset.or(self.file_offset)) {
            (Some(function), _, _) => function.clone(),
            (None, Some(object), Some(offset)) => format!("{object}+{offset:#x}"),
            (None, Some(object), None) => object.to_owned(),
            (None, None, _) => "[unknown]".to_owned(),
        }
    }
}

/// A stack's frames, the outermost first.
pub type Stack = Vec<Frame>;

/// How long a thread was at a stack in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackSample {
    /// The window's index.
    pub window: u32,
    /// Whose stack.
    pub thread: ThreadId,
    /// Which stack.
    pub stack: StackId,
    /// On-CPU time between each of these samples and the thread's sample before it.
    pub oncpu: Nanoseconds,
    /// How many samples.
    pub samples: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_a_name_is_called_by_its_object_and_offset() {
        let mut frame = Frame {
            function: None,
            file: None,
            line: None,
            module: Some("/usr/lib/libc.so.6".to_owned()),
            build_id: None,
            file_offset: Some(0x1234),
            function_offset: None,
            kind: FrameKind::User,
        };
        assert_eq!(frame.name(), "libc.so.6+0x1234");
        frame.function_offset = Some(0x1200);
        assert_eq!(frame.name(), "libc.so.6+0x1200");
        frame.function = Some("qsort".to_owned());
        assert_eq!(frame.name(), "qsort");
        frame = Frame { function: None, module: None, ..frame };
        assert_eq!(frame.name(), "[unknown]");
    }
}
