//! Who uses a graphics card, and what state it is in, as its driver told at a window's end.

/// The processes of a graphics card, or the card itself, in one window. What is not known is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GpuSample {
    /// The window's index.
    pub window: u32,
    /// The card: the number of its domain, 0 for `gpu-0`.
    pub gpu: u16,
    /// Whose use it is: a process id; `None` for the card itself.
    pub pid: Option<u32>,
    /// Percent of the time in which kernels ran on its multiprocessors (SM): of a process, its own; of the card,
    /// anyone's. The driver's mean over the time (1/6 s to 1 s) since its sample before. `None` where the driver
    /// has no new sample, or does not tell.
    pub sm_percent: Option<u8>,
    /// Percent of the time in which its memory was read or written.
    pub memory_percent: Option<u8>,
    /// Bytes of its memory in use.
    pub memory_bytes: Option<u64>,
    /// Temperature in degrees Celsius; of the card only.
    pub temperature_celsius: Option<u16>,
    /// Clock of the multiprocessors in MHz; of the card only.
    pub sm_clock_mhz: Option<u32>,
    /// Clock of the memory in MHz; of the card only.
    pub memory_clock_mhz: Option<u32>,
}
