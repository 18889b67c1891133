//! What a connection is waiting for, and since when: the basis of its time limits.
//!
//! The connection's parts note each change in one atomic; a slow ticker compares. So a request costs a
//! few stores and no timer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::Limits;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Phase {
    /// Waiting for the first byte of a request.
    Idle = 0,
    /// In the head of a request.
    Head = 1,
    /// Waiting for the body of a request.
    Body = 2,
    /// The server is at work.
    Work = 3,
    /// Writing an answer.
    Write = 4,
}

const PHASE_BITS: u32 = 3;

/// What a connection's parts share.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The phase (low bits) and a count of changes (high bits).
    state: AtomicU32,
    /// Part of the present request's body has not been read.
    has_unread: AtomicBool,
}

impl Pulse {
    pub(super) fn phase(&self) -> Phase {
        match self.0.state.load(Relaxed) & ((1 << PHASE_BITS) - 1) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Body,
            3 => Phase::Work,
            _ => Phase::Write,
        }
    }

    fn change(&self, phase: Phase) {
        // Only the connection's own task writes, so load and store need not be one step.
        let count = (self.0.state.load(Relaxed) >> PHASE_BITS).wrapping_add(1);
        self.0.state.store((count << PHASE_BITS) | phase as u32, Relaxed);
    }

    /// Bytes came in.
    pub(super) fn bytes_read(&self) {
        if self.phase() == Phase::Idle {
            self.change(Phase::Head);
        }
    }

    /// Bytes went out.
    pub(super) fn bytes_written(&self) {
        if matches!(self.phase(), Phase::Idle | Phase::Write) {
            self.change(Phase::Write);
        }
    }

    /// Everything written has left.
    pub(super) fn flushed(&self) {
        if self.phase() == Phase::Write {
            self.change(Phase::Idle);
        }
    }

    /// The head of a request is complete; a body may follow.
    pub(super) fn working(&self, has_body: bool) {
        self.0.has_unread.store(has_body, Relaxed);
        self.change(Phase::Work);
    }

    /// Whether the request's body was left unread, in whole or in part.
    pub(super) fn has_unread(&self) -> bool {
        self.0.has_unread.load(Relaxed)
    }

    /// More of the body is needed. The limit runs from the first wait to the end of the body.
    pub(super) fn waiting_for_body(&self) {
        if self.phase() == Phase::Work {
            self.change(Phase::Body);
        }
    }

    /// The body is complete.
    pub(super) fn body_complete(&self) {
        self.0.has_unread.store(false, Relaxed);
        if self.phase() == Phase::Body {
            self.change(Phase::Work);
        }
    }

    /// The answer begins.
    pub(super) fn writing(&self) {
        self.change(Phase::Write);
    }
}

/// Compares the pulse from tick to tick.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pulse: Pulse,
    limits: &'a Limits,
    seen: u32,
    seconds: u32,
}

impl<'a> Watch<'a> {
    pub(super) fn new(pulse: Pulse, limits: &'a Limits) -> Self {
        let seen = pulse.0.state.load(Relaxed);
        Self { pulse, limits, seen, seconds: 0 }
    }

    /// The time between two ticks.
    pub(super) fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// To be asked once per period: the reason to cut the connection, if there is one.
    pub(super) fn overdue(&mut self) -> Option<&'static str> {
        let now = self.pulse.0.state.load(Relaxed);
        if now != self.seen {
            (self.seen, self.seconds) = (now, 0);
            return None;
        }
        self.seconds += 1;
        let (limit_s, reason) = match self.pulse.phase() {
            Phase::Idle => (self.limits.idle_s, "idle for too long"),
            Phase::Head => (self.limits.header_s, "the request head took too long"),
            Phase::Body => (self.limits.body_s, "the request body took too long"),
            Phase::Write => (self.limits.write_stall_s, "the client does not read"),
            Phase::Work => return None,
        };
        (self.seconds >= limit_s).then_some(reason)
    }
}
