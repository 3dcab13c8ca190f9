//! Where each CPU sits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DomainId;

/// A CPU's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuPlace {
    /// The socket (physical package id).
    pub socket: u16,
    /// The die within the socket.
    pub die: u16,
    /// The core within the die; two CPUs with one core are SMT siblings.
    pub core: u16,
}

/// The places of all CPUs that were online.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Topology {
    /// By CPU number.
    pub cpus: BTreeMap<u16, CpuPlace>,
}

impl Topology {
    /// Whether `cpu`'s work draws on `domain`. A CPU of unknown place draws on every socket's.
    pub fn feeds(&self, cpu: u16, domain: DomainId) -> bool {
        let Some(place) = self.cpus.get(&cpu) else { return true };
        domain.socket.is_none_or(|socket| socket == place.socket)
            && domain.die.is_none_or(|die| die == place.die)
    }

    /// The sockets, in order.
    pub fn sockets(&self) -> Vec<u16> {
        let mut sockets: Vec<u16> = self.cpus.values().map(|place| place.socket).collect();
        sockets.sort_unstable();
        sockets.dedup();
        sockets
    }
}
