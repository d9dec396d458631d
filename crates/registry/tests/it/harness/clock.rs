//! A clock that only moves when it is told to.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use longshore_store::meta::Clock;

/// The hands of a clock.
#[derive(Debug)]
pub(crate) struct Hands {
    millis: AtomicI64,
    /// How far it has jumped, which is not a time that has passed.
    jumped: AtomicI64,
    /// How far it jumps when it has been looked at so often.
    jump: AtomicI64,
    looks: AtomicI64,
}

impl Hands {
    pub(crate) fn at(millis: i64) -> Self {
        Self {
            millis: AtomicI64::new(millis),
            jumped: AtomicI64::new(0),
            jump: AtomicI64::new(0),
            looks: AtomicI64::new(0),
        }
    }

    /// Lets time pass, or back.
    pub(crate) fn pass(&self, millis: i64) {
        self.millis.fetch_add(millis, SeqCst);
    }

    /// Lets it jump by `millis` after some more looks. From now on it tells how much time passes, too.
    pub(crate) fn jump_after(&self, looks: i64, millis: i64) {
        self.looks.store(looks, SeqCst);
        self.jump.store(millis, SeqCst);
    }

    /// Whether it has jumped.
    pub(crate) fn has_jumped(&self) -> bool {
        self.jumped.load(SeqCst) != 0
    }

    fn may_jump(&self) -> bool {
        self.jump.load(SeqCst) != 0
    }
}

impl Clock for Hands {
    fn system_millis(&self) -> i64 {
        if self.may_jump() && self.looks.fetch_sub(1, SeqCst) == 0 {
            self.jumped.store(self.jump.load(SeqCst), SeqCst);
        }
        self.millis.load(SeqCst) + self.jumped.load(SeqCst)
    }

    fn monotonic_millis(&self) -> Option<i64> {
        self.may_jump().then(|| self.millis.load(SeqCst))
    }
}
