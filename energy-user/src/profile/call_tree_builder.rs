//! Building a call tree: charges of threads become charges of stacks, and those become nodes.
//!
//! A sample costs one look into a table of numbers. Names are looked at once for each stack, and
//! nodes looked for once for each thread and stack.

use std::collections::HashMap;

use rustc_hash::FxHashMap;

use super::account::Profile;
use super::call_tree::{CallNode, CallTree, FrameRef, FunctionFrame, NodeKind, StackShare};
use super::name;
use super::process::{ProcessKey, Processes};
use super::stack_use::{Entry, Place, StackUse, StackUseCollector};
use super::uncertainty::{ErrorSum, StandardError};
use crate::attribution::{
    AttributedDomain, AttributedWindow, CodeDirections, CodeDoubts, StackDivider, ThreadCharge,
};
use crate::model::{DomainId, Frame, Stack, StackId, StackSample, ThreadId, ThreadInfo};
use crate::units::{Microjoules, MonotonicTime, Nanoseconds};

/// What stands between the root and the stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Processes.
    #[default]
    Processes,
    /// Processes, and their threads below them.
    Threads,
    /// Cgroups, and their processes below them.
    Cgroups,
}

/// Makes a call tree from windows as they come.
#[derive(Debug)]
pub struct CallTreeBuilder {
    cover: Vec<DomainId>,
    divider: StackDivider<ErrorSum>,
    used: StackUseCollector,
    charges: Vec<ThreadCharge<ErrorSum>>,
}

impl CallTreeBuilder {
    /// Of energy of the domains in `cover`, which overlap nowhere.
    pub fn new(cover: Vec<DomainId>) -> Self {
        Self {
            cover,
            divider: StackDivider::default(),
            used: StackUseCollector::default(),
            charges: Vec::new(),
        }
    }

    /// The same, which also keeps when energy was used: memory for each window, thread and stack.
    pub fn timed(mut self) -> Self {
        self.used = self.used.timed();
        self
    }

    /// Adds the next window: how its energy was divided, and where threads were sampled, ascending by thread.
    /// Only those threads are looked at that are `chosen`. A thread's time at a stack counts as often as
    /// `weight` says.
    pub fn add(
        &mut self,
        attributed: &AttributedWindow,
        mut samples: Vec<StackSample>,
        chosen: impl Fn(ThreadId) -> bool,
        weight: &impl Fn(ThreadId, StackId) -> u64,
    ) {
        self.gather_charges(attributed, &chosen);
        self.add_cards(attributed, &chosen);
        // Neighbours are mostly of one thread, which is asked for once.
        let mut last = (ThreadId::IDLE, false);
        samples.retain(|sample| {
            if sample.thread != last.0 {
                let is_real = sample.thread >= ThreadId::FIRST;
                last = (sample.thread, is_real && chosen(sample.thread));
            }
            last.1
        });
        let used = &mut self.used;
        let window = &attributed.window;
        self.divider.add(window, &self.charges, &samples, weight, &mut |charge| used.add(charge));
    }

    /// The tree, once the names of threads and stacks are known, and how sure the model is of functions,
    /// where it tells them apart. Of a stack that comes twice the last holds. An error among `stacks` is given
    /// back.
    pub fn finish<E>(
        self,
        profile: &Profile,
        roots: Roots,
        stacks: impl IntoIterator<Item = Result<Vec<(StackId, Stack)>, E>>,
        doubts: Option<&CodeDoubts<'_>>,
    ) -> Result<CallTree, E> {
        let mut used = self.used;
        self.divider.finish(&mut |charge| used.add(charge));
        let used = used.finish();
        let mut growing = Growing::default();
        let wanted = used.stacks();
        let mut paths: HashMap<StackId, Vec<FrameRef>> = HashMap::with_capacity(wanted.len());
        for batch in stacks {
            for (id, stack) in batch?.into_iter().filter(|(id, _)| wanted.contains(id)) {
                paths.insert(id, stack.into_iter().map(|frame| growing.code(frame)).collect());
            }
        }
        Ok(growing.grow(used, profile, roots, &paths, doubts))
    }

    /// Adds what graphics cards used for the chosen threads: no sample of a CPU tells where.
    fn add_cards(&mut self, attributed: &AttributedWindow, chosen: &impl Fn(ThreadId) -> bool) {
        for domain in attributed.domains.iter().filter(|d| self.cover.contains(&d.domain)) {
            if domain.domain.domain.is_fed_by_cpus() {
                continue;
            }
            let of_all: Microjoules = domain.samples.iter().map(|sample| sample.error).sum();
            for sample in domain.samples.iter().filter(|sample| chosen(sample.thread)) {
                let mut error = ErrorSum::default();
                error.add(sample.error, of_all, domain.provenance);
                self.used.add_card(sample, error);
            }
        }
    }

    /// What each chosen thread is charged with over the domains that CPUs feed, ascending by thread.
    fn gather_charges(
        &mut self,
        attributed: &AttributedWindow,
        chosen: &impl Fn(ThreadId) -> bool,
    ) {
        self.charges.clear();
        let cover = &self.cover;
        let fed_by_cpus = |domain: &&AttributedDomain| {
            domain.domain.domain.is_fed_by_cpus() && cover.contains(&domain.domain)
        };
        for domain in attributed.domains.iter().filter(fed_by_cpus) {
            let of_all: Microjoules = domain.samples.iter().map(|sample| sample.error).sum();
            for sample in domain.samples.iter().filter(|sample| chosen(sample.thread)) {
                let mut error = ErrorSum::default();
                error.add(sample.error, of_all, domain.provenance);
                self.charges.push(ThreadCharge {
                    thread: sample.thread,
                    energy: sample.energy,
                    error,
                });
            }
        }
        self.charges.sort_by_key(|charge| charge.thread);
        self.charges.dedup_by(|next, kept| {
            let same = next.thread == kept.thread;
            if same {
                kept.energy += next.energy;
                kept.error.extend(next.error);
            }
            same
        });
    }
}

/// In which direction the model may be off about each entry as a piece of code.
fn directions_of(entries: &[Entry], doubts: Option<&CodeDoubts<'_>>) -> CodeDirections {
    let Some(doubts) = doubts else { return CodeDirections::none(entries.len()) };
    let used = entries.iter().map(|entry| match entry.place {
        Place::Stack(stack) => (entry.thread, Some(stack), entry.energy),
        Place::Unsampled | Place::Cards => (entry.thread, None, entry.energy),
    });
    doubts.directions(&used.collect::<Vec<_>>())
}

/// A tree in the making.
#[derive(Debug, Default)]
struct Growing {
    tree: CallTree,
    frames: FxHashMap<FunctionFrame, FrameRef>,
    /// Looked into for every frame of every thread's stacks.
    children: FxHashMap<(usize, FrameRef), usize>,
    cgroups: HashMap<String, usize>,
    processes: HashMap<(usize, Owner), usize>,
    threads: HashMap<(usize, u32, MonotonicTime), usize>,
}

/// Whose node stands below the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    Process(ProcessKey),
    /// A thread the recording does not name.
    Unnamed(ThreadId),
}

impl Growing {
    /// Puts all that was used into the tree.
    fn grow(
        mut self,
        used: StackUse,
        profile: &Profile,
        roots: Roots,
        paths: &HashMap<StackId, Vec<FrameRef>>,
        doubts: Option<&CodeDoubts<'_>>,
    ) -> CallTree {
        let root = self.named("all", NodeKind::All);
        self.sprout(None, root);
        let processes = Processes::new(&profile.threads);
        let (entries, moments) = used.into_entries();
        self.tree.moments = moments;
        let directions = directions_of(&entries, doubts);
        self.tree.directions = directions.each.into();
        for (entry, direction) in entries.into_iter().zip(directions.of) {
            let info = profile.threads.get(&entry.thread).map(|account| &account.info);
            let owner = self.owner(entry.thread, info, &processes, roots);
            let path = |stack| paths.get(&stack).map_or(&[][..], Vec::as_slice);
            let node = match entry.place {
                Place::Unsampled => {
                    let frame = self.named("[unsampled]", NodeKind::Unsampled);
                    self.child(owner, frame)
                }
                Place::Cards => {
                    let frame = self.named("[gpu]", NodeKind::Gpu);
                    self.child(owner, frame)
                }
                Place::Stack(stack) if path(stack).is_empty() => {
                    self.tree.frameless += entry.energy;
                    let frame = self.named("[unknown]", NodeKind::User);
                    self.child(owner, frame)
                }
                Place::Stack(stack) => {
                    path(stack).iter().fold(owner, |node, frame| self.child(node, *frame))
                }
            };
            let mut error = entry.error;
            if entry.place != Place::Cards {
                error.set_model(profile.model_error_of_part(entry.thread, entry.energy));
            }
            self.tree.shares.push(StackShare {
                thread: entry.thread,
                node,
                energy: entry.energy,
                oncpu: entry.oncpu,
                samples: entry.samples,
                error,
                direction,
            });
        }
        self.tree.add_up();
        self.tree
    }

    /// The node a thread's stacks stand below.
    fn owner(
        &mut self,
        thread: ThreadId,
        info: Option<&ThreadInfo>,
        processes: &Processes<'_>,
        roots: Roots,
    ) -> usize {
        let Some(info) = info.filter(|info| info.tgid != 0 || !info.comm.is_empty()) else {
            let name = format!("[unnamed thread {}]", thread.0);
            return self.process(0, Owner::Unnamed(thread), name, 0);
        };
        let above = if roots == Roots::Cgroups { self.cgroup(info) } else { 0 };
        let key = processes.of(info);
        let leader = name::of_thread(processes.leader(key).unwrap_or(info));
        let name = format!("{leader} (pid {})", key.tgid);
        let process = self.process(above, Owner::Process(key), name, key.tgid);
        if roots != Roots::Threads {
            return process;
        }
        if let Some(node) = self.threads.get(&(process, info.tid, info.start)) {
            return *node;
        }
        let frame = self.named(name::of_thread(info), NodeKind::Thread { tid: info.tid });
        let node = self.sprout(Some(process), frame);
        self.threads.insert((process, info.tid, info.start), node);
        node
    }

    /// The node of a thread's cgroup, by the name of its container or unit where it has one.
    fn cgroup(&mut self, info: &ThreadInfo) -> usize {
        let names = [info.container(), info.unit(), info.cgroup.as_deref()];
        let name = names.into_iter().flatten().next().unwrap_or("[no cgroup]");
        if let Some(node) = self.cgroups.get(name) {
            return *node;
        }
        let frame = self.named(name, NodeKind::Cgroup);
        let node = self.sprout(Some(0), frame);
        self.cgroups.insert(name.to_owned(), node);
        node
    }

    fn process(&mut self, above: usize, owner: Owner, name: String, pid: u32) -> usize {
        if let Some(node) = self.processes.get(&(above, owner)) {
            return *node;
        }
        let frame = self.named(name, NodeKind::Process { pid });
        let node = self.sprout(Some(above), frame);
        self.processes.insert((above, owner), node);
        node
    }

    /// The node of `frame` below `parent`.
    fn child(&mut self, parent: usize, frame: FrameRef) -> usize {
        if let Some(node) = self.children.get(&(parent, frame)) {
            return *node;
        }
        let node = self.sprout(Some(parent), frame);
        self.children.insert((parent, frame), node);
        node
    }

    fn sprout(&mut self, parent: Option<usize>, frame: FrameRef) -> usize {
        self.tree.nodes.push(CallNode {
            parent,
            frame,
            self_energy: Microjoules::ZERO,
            self_oncpu: Nanoseconds::ZERO,
            samples: 0,
            self_error: StandardError::default(),
        });
        self.tree.nodes.len() - 1
    }

    /// A stack's frame.
    fn code(&mut self, frame: Frame) -> FrameRef {
        let name = frame.name();
        let Frame { file, line, module, kind, .. } = frame;
        self.intern(FunctionFrame { name, module, file, line, kind: kind.into() })
    }

    fn named(&mut self, name: impl Into<String>, kind: NodeKind) -> FrameRef {
        self.intern(FunctionFrame::named(name, kind))
    }

    fn intern(&mut self, frame: FunctionFrame) -> FrameRef {
        if let Some(known) = self.frames.get(&frame) {
            return *known;
        }
        let new = FrameRef(self.tree.frames.len());
        self.tree.frames.push(frame.clone());
        self.frames.insert(frame, new);
        new
    }
}
