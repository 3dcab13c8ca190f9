//! NVML's errors in words that say what to do next.

use nvml_wrapper::error::NvmlError;

use super::super::{Finding, SourceError};

/// Something that is not there, or cannot be used, and what would mend it.
pub(super) fn missing(what: impl Into<String>, error: &NvmlError) -> Finding {
    let finding = Finding::missing(what, in_words(error));
    match way_out(error) {
        Some(remedy) => finding.remedied_by(remedy),
        None => finding,
    }
}

/// A figure of a card that could not be read.
pub(super) fn unreadable(what: &'static str, card: &str, error: &NvmlError) -> SourceError {
    SourceError::Card {
        what,
        card: card.to_owned(),
        why: in_words(error),
        is_permission: matches!(error, NvmlError::NoPermission),
        remedy: way_out(error),
    }
}

fn in_words(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(_) => "it cannot be opened".to_owned(),
        NvmlError::FailedToLoadSymbol(_) => "it lacks a function that is needed".to_owned(),
        NvmlError::DriverNotLoaded => "NVIDIA's driver is not loaded".to_owned(),
        NvmlError::LibRmVersionMismatch => {
            "NVIDIA's driver in the kernel and its library are of different versions".to_owned()
        }
        NvmlError::GpuLost => "the card is lost: it has fallen off the bus".to_owned(),
        NvmlError::ResetRequired => "the card must be reset before it works again".to_owned(),
        NvmlError::NoPermission => "permission denied".to_owned(),
        NvmlError::NotSupported => "the card does not tell".to_owned(),
        other => other.to_string(),
    }
}

fn way_out(error: &NvmlError) -> Option<&'static str> {
    Some(match error {
        NvmlError::LibloadingError(_) => {
            "install NVIDIA's driver, or give the place of its library with --nvml-library"
        }
        NvmlError::FailedToLoadSymbol(_) => {
            "install NVIDIA's driver 450 or newer, or give the place of its library with --nvml-library"
        }
        NvmlError::DriverNotLoaded => "sudo modprobe nvidia",
        NvmlError::LibRmVersionMismatch => {
            "restart the machine, or load the module nvidia anew: the driver was updated while it was in use"
        }
        NvmlError::GpuLost => "see `dmesg | grep NVRM`, and restart the machine",
        NvmlError::ResetRequired => "sudo nvidia-smi --gpu-reset, when nothing uses the card",
        NvmlError::NoPermission => "run as root",
        _ => return None,
    })
}
